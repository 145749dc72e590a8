"""The plain story, told right and wrong, and the same faults in all kinds of networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.stories import (
    CREDENTIALS,
    MINUTE,
    P6,
    S6,
    T6,
    Court,
    Handset,
    P,
    S,
    Story,
    T,
    site,
)
from tests.traps.ground import (
    DUE,
    EARLY,
    MODES,
    PREMATURE,
    REGIMES,
    TTL,
    UNREGISTERED,
    any_mode,
    any_regime,
    gated_regime,
    handset,
    minute,
    moved,
    returns,
    timed_mode,
)

ABOUT = (UNREGISTERED, PREMATURE)


@any_regime
@any_mode
def test_a_phone_that_keeps_to_its_mode_is_not_accused(court: Court, regime: str, mode: str) -> None:
    phone = handset(granted=300)
    phone.register(240)
    done = phone.fail_over(300, registers=regime != "R0")
    returns(phone, regime, done + DUE[mode])
    assert court(phone.story, site({**REGIMES[regime], **MODES[mode]}, ttl=TTL)) == []


@any_regime
@timed_mode
def test_the_return_before_its_time_is_found(court: Court, regime: str, mode: str) -> None:
    phone = handset(granted=300)
    phone.register(240)
    phone.fail_over(300, registers=regime != "R0")
    returns(phone, regime, EARLY)
    doubt = " likely ttl-from-failover" if mode == "DNSTTL" else " certain"
    found = court(phone.story, site({**REGIMES[regime], **MODES[mode]}, ttl=TTL))
    assert found == [f"336.000 {PREMATURE} 1001 10.0.0.1{doubt}"]


@gated_regime
@any_mode
def test_the_call_before_registration_is_found(court: Court, regime: str, mode: str) -> None:
    phone = handset()
    phone.fail_over(300, registers=False)
    assert court(phone.story, site({**REGIMES[regime], **MODES[mode]}, ttl=TTL)) == [
        f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain"]



def on_vlans(story: Story) -> dict[str, Any]:
    story.vlans = (100, 7)
    return {}


def in_fragments(story: Story) -> dict[str, Any]:
    story.mtu = 200
    return {}


def by_tcp(story: Story) -> dict[str, Any]:
    return {"transport": "tcp"}


def behind_nat(story: Story) -> dict[str, Any]:
    return {"place": ("203.0.113.9", 40_000), "contact": "sip:1001@192.168.1.5"}


def plain(story: Story) -> dict[str, Any]:
    return {}


SURROUNDINGS = [plain, on_vlans, in_fragments, by_tcp, behind_nat]
surrounded = pytest.mark.parametrize("dress", SURROUNDINGS, ids=lambda dress: dress.__name__)


def finds_it_dead(phone: Handset) -> None:
    """From 300 on P is silent; over TCP it resets the connection, and refuses a new one."""
    if phone.transport == "tcp":
        phone.story.reset(299, P, phone.place)
        phone.place = ("10.1.0.5", 49_153)
        phone.story.syn(300, phone.place, P)
        phone.story.reset(300.1, P, phone.place)
    else:
        phone.silence(300)


@gated_regime
@surrounded
def test_the_call_before_registration_is_found_everywhere(
    court: Court, regime: str, dress: Callable[[Story], dict[str, Any]]
) -> None:
    story = Story()
    phone = handset(story, **dress(story))
    finds_it_dead(phone)
    phone.call(305.5, S, 5)
    assert court(story, minute(regime)) == [f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain"]


@any_regime
@surrounded
def test_the_early_return_is_found_everywhere(
    court: Court, regime: str, dress: Callable[[Story], dict[str, Any]]
) -> None:
    story = Story()
    phone = handset(story, **dress(story))
    finds_it_dead(phone)
    time = phone.register(305.5, S) if regime != "R0" else 305.5
    phone.call(time, S, 5)
    returns(phone, regime, EARLY)
    assert court(story, minute(regime)) == [f"336.000 {PREMATURE} 1001 10.0.0.1 certain"]


@gated_regime
def test_both_faults_over_ipv6(court: Court, regime: str) -> None:
    phone = Handset(Story(), place=("2001:db8::5", 5060))
    phone.register(0, P6)
    phone.call(phone.silence(300, P6), S6, 4)
    phone.register(311, S6)
    returns(phone, regime, EARLY, P6)
    assert court(phone.story, minute(regime) | {"entries": site({}, P6, S6, T6)["entries"]}) == [
        f"305.500 {UNREGISTERED} 1001 [2001:db8::2] certain",
        f"336.000 {PREMATURE} 1001 [2001:db8::1] certain"]


@gated_regime
def test_both_faults_among_three_servers(court: Court, regime: str) -> None:
    """P and S are silent. The line calls at T at once, registers there later, and tries S before the minute is over."""
    phone = handset()
    time = phone.silence(phone.silence(300), S, "REGISTER")
    phone.call(time, T, 4)
    phone.register(320, T)
    returns(phone, regime, EARLY, S)
    assert court(phone.story, site({**REGIMES[regime], **MINUTE}, P, S, T)) == [
        f"311.000 {UNREGISTERED} 1001 10.0.0.3 certain", f"336.000 {PREMATURE} 1001 10.0.0.2 certain"]


@any_regime
def test_the_early_return_is_found_after_all_that_is_no_return(court: Court, regime: str) -> None:
    """Keepalives, calls to the phone, old dialogs and retransmissions must hide nothing; in R2 the BYE to the failed
    server is a fault of its own (F9)."""
    phone = handset()
    old = phone.ask(260, P, "INVITE")
    phone.told(261, old, 200)
    phone.acknowledge(261.1, old)
    phone.fail_over(300, registers=regime != "R0")
    phone.hang_up(312, old, answered=False)
    ping = phone.ask(313, S, "OPTIONS")
    phone.told(313.1, ping, 200)
    for time, server, method in ((314, S, "NOTIFY"), (315, P, "OPTIONS"), (316, P, "NOTIFY")):
        asked = phone.called(time, server, method, call_id=f"x{time}@pbx")
        phone.replies(time + 0.1, asked, 200)
    phone.call(320, S, 5)
    returns(phone, regime, EARLY)
    hung_up = ["312.000 signalling-to-failed-server 1001 10.0.0.1 certain"] if regime == "R2" else []
    assert court(phone.story, minute(regime)) == [*hung_up, f"336.000 {PREMATURE} 1001 10.0.0.1 certain"]


@any_regime
def test_timeout_0_is_for_good(court: Court, regime: str) -> None:
    phone = moved(regime)
    for time in range(1000, 9000, 1000):
        phone.register(time, S if regime != "R0" else P)
    returns(phone, regime, 9000)
    assert court(phone.story, site({**REGIMES[regime], **MINUTE, "failBack.timeout": 0})) == [
        f"9000.000 {PREMATURE} 1001 10.0.0.1 certain"]


@any_regime
def test_a_second_stay_has_a_timer_of_its_own(court: Court, regime: str) -> None:
    phone = moved(regime)
    returns(phone, regime)
    phone.fail_over(400, registers=regime != "R0")
    returns(phone, regime, 430)
    assert court(phone.story, minute(regime)) == [f"430.000 {PREMATURE} 1001 10.0.0.1 certain"]


@gated_regime
def test_the_second_server_refuses_and_is_called_all_the_same(court: Court, regime: str) -> None:
    phone = handset()
    time = phone.silence(300)
    asked = phone.ask(time, S, "REGISTER", expires=3600)
    phone.told(time + 0.1, asked, 403)
    phone.call(time + 0.2, S, 4)
    assert court(phone.story, minute(regime)) == [f"305.700 {UNREGISTERED} 1001 10.0.0.2 certain"]


@gated_regime
@pytest.mark.parametrize("answer", [200, 401, 403])
def test_the_call_that_does_not_wait_for_the_answer(court: Court, regime: str, answer: int) -> None:
    """REGISTER and INVITE leave together: when the call left, there was no answer yet."""
    phone = handset()
    time = phone.silence(300)
    asked = phone.ask(time, S, "REGISTER", expires=3600, headers=CREDENTIALS)
    phone.call(time + 0.01, S, 4)
    phone.told(time + 0.2, asked, answer, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
    assert court(phone.story, minute(regime)) == [f"305.510 {UNREGISTERED} 1001 10.0.0.2 certain"]


@gated_regime
def test_the_call_that_does_not_wait_while_it_registers_again_and_again(court: Court, regime: str) -> None:
    phone = handset()
    time = phone.silence(300)
    phone.silence(time, S, "REGISTER")
    phone.call(time + 0.9, S, 4)
    assert court(phone.story, minute(regime)) == [f"306.400 {UNREGISTERED} 1001 10.0.0.2 certain"]
