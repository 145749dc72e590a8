"""What must not convict (reference-model.md 6), each trap a story in packets; and the same faults found beside it.

The story is nearly always the same: P falls silent at 300, the phone gives up
at 305.5 and moves to S, and is back at P when a minute has passed, at 366.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.stories import (
    BRANCH,
    CALLEE,
    CHALLENGE,
    CREDENTIALS,
    DOMAIN,
    MINUTE,
    P6,
    PROXY_CHALLENGE,
    R0,
    R1,
    R2,
    R3,
    S6,
    T6,
    VVX,
    Court,
    Handset,
    P,
    Packet,
    S,
    Settings,
    Story,
    T,
    site,
)

REGIMES = {"R0": R0, "R1": R1, "R2": R2, "R3": R3}
MODES: dict[str, Settings] = {
    "newRequests": {"failBack.mode": "newRequests"},
    "DNSTTL": {"failBack.mode": "DNSTTL"},
    "registration": {"failBack.mode": "registration"},
    "duration": MINUTE,
}
TTL = 120
DUE = {"newRequests": 1.0, "DNSTTL": 115.0, "registration": 235.0, "duration": 56.0}  # seconds after the call at S
EARLY = 336.0
RETURN = 366.5
UNREGISTERED, PREMATURE = "signalling-to-unregistered-server", "premature-failback"

any_regime = pytest.mark.parametrize("regime", REGIMES)
gated_regime = pytest.mark.parametrize("regime", ["R1", "R2", "R3"])
timed_mode = pytest.mark.parametrize("mode", ["DNSTTL", "registration", "duration"])
any_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def court(tmp_path: Path) -> Court:
    return Court(tmp_path)


def minute(regime: str, **more: Any) -> dict[str, Any]:
    """A site in this regime whose phones return after a minute."""
    return site({**REGIMES[regime], **MINUTE}, **more)


def handset(story: Story | None = None, **known: Any) -> Handset:
    """A phone that registered at P long ago."""
    phone = Handset(story or Story(), **known)
    phone.register(0)
    return phone


def moved(regime: str, story: Story | None = None, **known: Any) -> Handset:
    """A phone that found P silent at 300 and works at S since 305.5, as its regime wants it; its call there is over
    at 310.6."""
    phone = handset(story, **known)
    phone.fail_over(300, registers=regime != "R0")
    return phone


def returns(phone: Handset, regime: str, time: float = RETURN, to: tuple[str, int] = P) -> None:
    """The phone goes back: by a call, where it needs no registration first."""
    if regime in ("R2", "R3"):
        time = phone.register(time, to)
    phone.call(time, to)


# -- the plain story, right and wrong --------------------------------------------------------------------------------

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


# -- the capture begins in the middle --------------------------------------------------------------------------------

@any_regime
def test_capture_begins_in_a_registration(court: Court, regime: str) -> None:
    phone = Handset(Story())
    phone.register(0, S)
    phone.call(10, S)
    returns(phone, regime, 30)
    whole = phone.story
    for first in range(5):
        begun = whole.without(lambda packet, first=first: packet in whole.packets[:first])
        assert set(court(begun, minute(regime), covered=0)) <= {f"? {PREMATURE} started-later"}


@any_regime
def test_capture_begins_in_a_call(court: Court, regime: str) -> None:
    phone = Handset(Story())
    asked = phone.ask(-10, S, "INVITE")
    phone.told(-9, asked, 200)
    phone.acknowledge(-8.9, asked)
    phone.ask(1, S, "INVITE", call_id=asked.call_id, tag="far")
    phone.hang_up(5, asked)
    phone.register(8, S, challenged=False)
    returns(phone, regime, 30)
    begun = phone.story.without(lambda packet: packet.time < 0)
    assert set(court(begun, minute(regime), covered=0)) <= {f"? {PREMATURE} started-later"}


@gated_regime
def test_capture_begins_in_the_silence(court: Court, regime: str) -> None:
    """Nobody knows which server the line was working with, or registered at."""
    phone = Handset(Story())
    time = phone.silence(-1)
    phone.call(time, S)
    phone.register(30, S)
    begun = phone.story.without(lambda packet: packet.time < 0)
    assert court(begun, minute(regime), covered=0) == []


def test_r1_wraps_to_a_server_left_before_the_capture_began(court: Court) -> None:
    """F7: new dialogs may go where the line was registered once, also after that lapsed."""
    phone = Handset(Story())
    phone.register(0, S)
    phone.call(phone.silence(300, S), P)
    found = court(phone.story, minute("R1"))
    assert all("certain" not in said for said in found)


@gated_regime
def test_a_registration_older_than_the_capture_may_live(court: Court, regime: str) -> None:
    phone = handset()
    phone.fail_over(300, registers=False)
    assert court(phone.story, minute(regime), covered=600) == [
        f"305.500 {UNREGISTERED} 1001 10.0.0.2 likely no-earlier-stay"]


# -- challenges, refusals that are none ------------------------------------------------------------------------------

@any_regime
def test_stale_nonces_407_422_and_423_at_the_second_server(court: Court, regime: str) -> None:
    phone = handset()
    time = phone.silence(300)
    for status, headers in ((423, "Min-Expires: 600\r\n"), (401, CHALLENGE), (401, CHALLENGE)):
        asked = phone.ask(time, S, "REGISTER", expires=600, headers=CREDENTIALS)
        phone.told(time + 0.01, asked, status, headers=headers)
        time += 0.02
    time = phone.register(time, S)
    call_id = "challenged@10.1.0.5"
    for status, headers in ((407, PROXY_CHALLENGE), (407, PROXY_CHALLENGE), (422, "Min-SE: 90\r\n")):
        asked = phone.ask(time, S, "INVITE", call_id=call_id)
        phone.told(time + 0.01, asked, status, headers=headers)
        time += 0.02
    phone.call(time, S, call_id=call_id)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_credentials_for_a_challenge_of_the_server_left(court: Court, regime: str) -> None:
    """The 401 crosses the failover: the re-send belongs to the request from before (F13)."""
    phone = handset()
    asked = phone.ask(300, P, "INVITE", call_id="early@10.1.0.5")
    time = phone.register(phone.silence(300.1), S)
    phone.call(time, S)
    phone.told(310, asked, 401, headers=CHALLENGE)
    phone.ask(310.1, P, "INVITE", call_id="early@10.1.0.5", headers=CREDENTIALS)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


# -- retransmissions, late answers, grace ----------------------------------------------------------------------------

@any_regime
def test_retransmissions_to_the_server_left(court: Court, regime: str) -> None:
    phone = handset()
    first = phone.ask(300, P, "INVITE")
    phone.fail_over(300.1, registers=regime != "R0")
    for time in (307.5, 315.5, 331.5):
        phone.again(time, first)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "SUBSCRIBE", "OPTIONS"])
def test_a_late_answer_of_the_server_left_is_no_return(court: Court, regime: str, method: str) -> None:
    """The timer runs from the failover, not from the call after the late answer."""
    phone = handset()
    slow = phone.ask(299.9, P, method, expires=3600 if method in ("REGISTER", "SUBSCRIBE") else None)
    phone.fail_over(300, registers=regime != "R0")
    own = f"Contact: <{phone.contact}>;expires=3600\r\n" if method == "REGISTER" else ""
    phone.told(312, slow, 200, headers=own)
    phone.call(330, S, 5)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_what_belongs_to_transactions_from_before_the_failover(court: Court, regime: str) -> None:
    phone = handset()
    ringing, pending = phone.ask(280, P, "INVITE"), phone.ask(281, P, "INVITE")
    for asked in (ringing, pending):
        phone.told(281.1, asked, 183)
    phone.fail_over(300, registers=regime != "R0")
    phone.ask(311, P, "PRACK", call_id=ringing.call_id, tag="far", headers="RAck: 1 1 INVITE\r\n")
    phone.told(312, ringing, 200)
    phone.acknowledge(312.1, ringing)
    phone.story.udp(313, phone.place, P, pending.text.replace("INVITE", "CANCEL").encode(), "CANCEL")
    phone.told(313.1, pending, 487)
    phone.story.udp(313.2, phone.place, P, pending.text.replace("INVITE", "ACK").encode(), "ACK")
    phone.hang_up(315, ringing)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_requests_inside_old_dialogs(court: Court, regime: str) -> None:
    phone = handset()
    asked = phone.ask(200, P, "INVITE")
    phone.told(201, asked, 200)
    phone.acknowledge(201.1, asked)
    watched = phone.ask(205, P, "SUBSCRIBE", expires=3600, headers="Event: dialog\r\n")
    phone.told(205.1, watched, 202)
    phone.fail_over(300, registers=regime != "R0")
    for step, method in enumerate(("INVITE", "UPDATE", "INFO", "REFER", "NOTIFY")):
        inside = phone.ask(312 + step, P, method, call_id=asked.call_id, tag="far")
        phone.told(312.1 + step, inside, 200)
    inside = phone.ask(320, P, "SUBSCRIBE", call_id=watched.call_id, tag="far", expires=3600)
    phone.told(320.1, inside, 200)
    phone.hang_up(321, asked)
    phone.call(325, S, 5)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


def test_the_unseen_end_of_a_call_that_the_failover_broke(court: Court) -> None:
    """R2: no BYE is right; what the far end still sends is refused."""
    phone = handset()
    asked = phone.ask(200, P, "INVITE")
    phone.told(201, asked, 200)
    phone.acknowledge(201.1, asked)
    phone.fail_over(300)
    again = phone.called(320, P, "INVITE", call_id=asked.call_id, tag="near" + asked.call_id[:6])
    phone.replies(320.1, again, 481)
    returns(phone, "R2")
    assert court(phone.story, minute("R2")) == []


@any_regime
def test_calls_to_the_phone_from_both_servers(court: Court, regime: str) -> None:
    phone = moved(regime)
    for time, server in ((312.0, S), (320.0, P)):
        asked = phone.called(time, server, "INVITE", call_id=f"in{time:.0f}@pbx")
        phone.replies(time + 0.1, asked, 180)
        phone.replies(time + 1, asked, 200)
        bye = phone.ask(time + 5, server, "BYE", call_id=asked.call_id, tag="far")
        phone.told(time + 5.1, bye, 200)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


# -- several lines, several phones -----------------------------------------------------------------------------------

@any_regime
def test_the_second_line_uses_what_the_first_learned(court: Court, regime: str) -> None:
    story = Story()
    second = handset(story, user="1002")
    first = moved(regime, story)
    if regime != "R0":
        second.register(307, S)
    second.call(308, S)
    for line in (first, second):
        returns(line, regime, RETURN + 4 * (line is second))
    assert court(story, minute(regime)) == []


@gated_regime
def test_only_the_second_line_breaks_the_rules(court: Court, regime: str) -> None:
    story = Story()
    second = handset(story, user="1002")
    first = moved(regime, story)
    second.call(308, S)
    second.register(320, S)
    returns(second, regime, EARLY)
    returns(first, regime)
    assert court(story, minute(regime)) == [
        f"308.000 {UNREGISTERED} 1002 10.0.0.2 certain", f"336.000 {PREMATURE} 1002 10.0.0.1 certain"]


@any_regime
def test_one_aor_on_two_phones(court: Court, regime: str) -> None:
    """The other phone never lost P, and nothing of what it does is the first one's."""
    story = Story()
    other = handset(story, place=("10.1.0.6", 5060))
    first = moved(regime, story)
    other.call(312, P)
    other.register(330, P)
    other.call(340, P)
    returns(first, regime)
    assert court(story, minute(regime)) == []


@any_regime
def test_two_phones_with_one_aor_behind_one_address(court: Court, regime: str) -> None:
    story = Story()
    known = [{"place": ("203.0.113.9", 40_000 + number), "contact": f"sip:1001@192.168.1.{number}:5060"}
             for number in (1, 2)]
    other = handset(story, **known[1])
    first = moved(regime, story, **known[0])
    other.call(312, P)
    other.register(330, P)
    other.call(340, P)
    returns(first, regime)
    assert all(said.startswith("?") for said in court(story, minute(regime)))
    parted = Story()
    other = handset(parted, parameters=';+sip.instance="<urn:uuid:b>"', **known[1])
    first = moved(regime, parted, parameters=';+sip.instance="<urn:uuid:a>"', **known[0])
    other.call(312, P)
    returns(first, regime)
    assert court(parted, minute(regime)) == []


@any_regime
def test_a_200_with_the_contacts_of_others(court: Court, regime: str) -> None:
    phone = handset()
    time = phone.silence(300)
    foreign = "<sip:1001@10.7.7.7>;expires=9, <sip:1001@10.7.7.8:5070>;expires=0"
    if regime != "R0":
        time = phone.register(time, S, listed=f"{foreign}, <{phone.contact}>;expires=3600")
    phone.call(time, S, 5)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
@pytest.mark.parametrize("listed", [
    "<sip:1002@10.7.7.7>;expires=0", "<sip:1001@10.7.7.7>;expires=60, <sip:1001@10.7.7.8>;expires=70", "",
])
def test_a_200_without_the_own_contact(court: Court, regime: str, listed: str) -> None:
    phone = handset()
    time = phone.silence(300)
    if regime != "R0":
        time = phone.register(time, S, listed=listed)
    phone.call(time, S, 5)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_an_sbc_that_rewrites_contacts_and_shortens_them(court: Court, regime: str) -> None:
    """The renewal is after half of 40 s, whatever was asked for; which Contact is the phone's own cannot be told."""
    phone = handset()
    time = phone.silence(300)
    listed = "<sip:1001@10.0.0.2:5080>;expires=40, <sip:1001@10.0.0.2:5081>;expires=2000"
    if regime != "R0":
        time = phone.register(time, S, listed=listed)
    phone.call(time, S, 5)
    returns(phone, regime, 328)
    found = court(phone.story, site({**REGIMES[regime], "failBack.mode": "registration"}))
    assert regime == "R0" or all(said.startswith("?") for said in found)


@any_regime
def test_an_sbc_that_rewrites_the_only_contact(court: Court, regime: str) -> None:
    phone = Handset(Story())
    listed = "<sip:1001@10.0.0.2:5080>;expires=40"
    phone.register(0, listed=listed)
    phone.register(290, listed=listed)
    time = phone.silence(300)
    if regime != "R0":
        time = phone.register(time, S, listed=listed)
    phone.call(time, S, 5)
    returns(phone, regime, 328)
    assert court(phone.story, site({**REGIMES[regime], "failBack.mode": "registration"})) == []


@any_regime
def test_a_phone_behind_nat_whose_port_changes(court: Court, regime: str) -> None:
    phone = handset(place=("203.0.113.9", 40_000), contact="sip:1001@192.168.1.5:5060")
    phone.place = ("203.0.113.9", 40_123)
    phone.fail_over(300, registers=regime != "R0")
    phone.place = ("203.0.113.9", 40_456)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_a_forked_call(court: Court, regime: str) -> None:
    phone = moved(regime)
    asked = phone.ask(320, S, "INVITE")
    for tag in ("one", "two"):
        phone.told(320.5, asked, 180, tag=tag)
    for step, tag in enumerate(("one", "two")):
        phone.told(321 + step, asked, 200, tag=tag, headers="Contact: <sip:2000@10.0.0.1>\r\n")
    phone.hang_up(323, asked)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


# -- which servers ---------------------------------------------------------------------------------------------------

@any_regime
def test_servers_of_equal_priority(court: Court, regime: str) -> None:
    phone = handset()
    phone.fail_over(300, registers=False)
    returns(phone, regime, EARLY)
    found = court(phone.story, minute(regime, priorities=(1, 1)))
    assert found == ([] if regime == "R0" else [f"? {UNREGISTERED} load-balanced"])


SRV = ("sip.example.com", "SRV")


def looks_up(phone: Handset, time: float, ttl: int = 3600, order: tuple[int, int] = (10, 20)) -> None:
    """The phone learns its servers: SRV, and the addresses of its targets."""
    owner = "_sip._udp.pbx.example.com."
    phone.story.lookup(time, phone.place, owner, "SRV",
                       f"{owner} {ttl} IN SRV {order[0]} 1 5060 sbc1.example.com.",
                       f"{owner} {ttl} IN SRV {order[1]} 1 5060 sbc2.example.com.")
    for number in (1, 2):
        phone.story.lookup(time + 0.01 * number, phone.place, f"sbc{number}.example.com.", "A",
                           f"sbc{number}.example.com. {ttl} IN A 10.0.0.{number}")


@any_regime
def test_dns_alone_tells_of_the_servers(court: Court, regime: str) -> None:
    """Settings given by --set, no site file: the list is that of the SRV answer."""
    told = tuple(f"{name}={value}" for name, value in {**REGIMES[regime], **MINUTE}.items())
    phone = Handset(Story())
    looks_up(phone, -1)
    phone.register(0)
    phone.fail_over(300, registers=regime != "R0")
    returns(phone, regime)
    assert court(phone.story, None, settings=told) == []
    phone = Handset(Story())
    looks_up(phone, -1)
    phone.register(0)
    phone.fail_over(300, registers=False)
    returns(phone, regime, EARLY)
    # without its REGISTER the line never moved to S, so that its call at P is no return
    found = court(phone.story, None, settings=told)
    assert [said.split()[1] for said in found] == [PREMATURE if regime == "R0" else UNREGISTERED]


@any_regime
def test_a_zone_that_changed_its_order(court: Court, regime: str) -> None:
    told = tuple(f"{name}={value}" for name, value in {**REGIMES[regime], **MINUTE}.items())
    phone = Handset(Story())
    looks_up(phone, -1, order=(20, 10))
    phone.register(0, S)
    phone.fail_over(300, S, P, registers=regime != "R0")
    looks_up(phone, 320, order=(20, 10))
    looks_up(phone, 330, order=(10, 20))
    returns(phone, regime, EARLY, S)
    looks_up(phone, 350, order=(20, 10))
    returns(phone, regime, 355, S)
    assert court(phone.story, None, settings=told) == []


@any_regime
def test_addresses_of_one_name_take_turns(court: Court, regime: str) -> None:
    told = tuple(f"{name}={value}" for name, value in {**REGIMES[regime], **MINUTE}.items())
    phone = Handset(Story())
    addresses = [f"pbx.example.com. 300 IN A 10.0.0.{number}" for number in (1, 2)]
    phone.story.lookup(-1, phone.place, "pbx.example.com.", "A", *addresses)
    phone.register(0)
    phone.fail_over(300, registers=False)
    returns(phone, regime, EARLY)
    assert {said.split()[-1] for said in court(phone.story, None, settings=told)} <= {"load-balanced"}


@any_regime
@pytest.mark.parametrize("later", [None, 250, 306, 320])
def test_the_return_comes_with_the_end_of_the_dns_answer(court: Court, regime: str, later: int | None) -> None:
    """B2: the last answer seen before the failover ends at 400; what is looked up after it changes nothing."""
    names = {"entries": {"sbc": {"servers": [{"name": "sbc1.example.com", "address": P[0]},
                                             {"name": "sbc2.example.com", "address": S[0]}]}},
             "lines": [{"match": {}, "entry": "sbc", "settings": {**REGIMES[regime], "failBack.mode": "DNSTTL"}}]}
    phone = Handset(Story())
    looks_up(phone, 100, ttl=300)
    phone.register(101)
    phone.fail_over(300, registers=regime != "R0")
    if later:
        looks_up(phone, later, ttl=150 if later == 250 else 300)
    returns(phone, regime, 401)
    assert court(phone.story, names) == []


@any_regime
def test_moving_between_entries_is_fallback(court: Court, regime: str) -> None:
    declared = minute(regime)
    declared["entries"]["branch"] = [{"address": BRANCH[0]}]
    declared["lines"][0]["entry"] = ["sbc", "branch"]
    phone = handset()
    phone.register(0.5, BRANCH, call_id="branch@10.1.0.5")
    for server in (P, S):
        phone.silence(300 if server == P else 306, server, "REGISTER", call_id="reg-1001@10.1.0.5")
    phone.call(311.5, BRANCH)
    phone.register(330, P, call_id="reg-1001@10.1.0.5")
    phone.call(336, P)
    phone.register(340, BRANCH, call_id="branch@10.1.0.5")
    assert court(phone.story, declared) == []


@any_regime
def test_fallback_to_a_server_without_registration(court: Court, regime: str) -> None:
    declared = minute(regime)
    declared["entries"]["branch"] = [{"address": BRANCH[0]}]
    declared["lines"][0] |= {"entry": ["sbc", "branch"], "entry_settings": {"branch": {"register": 0}}}
    phone = moved(regime)
    phone.call(phone.silence(312, S), BRANCH)
    phone.call(325, BRANCH)
    phone.register(330, P)
    phone.call(336, P)
    assert court(phone.story, declared) == []


@any_regime
def test_register_0_holds_nothing_back(court: Court, regime: str) -> None:
    phone = Handset(Story())
    phone.call(0, P)
    phone.fail_over(300, registers=False)
    phone.call(RETURN, P)
    assert court(phone.story, site({**REGIMES[regime], **MINUTE, "register": 0})) == []


@any_regime
def test_concurrent_registration(court: Court, regime: str) -> None:
    phone = handset()
    phone.register(0.5, S)
    phone.fail_over(300, registers=False)
    returns(phone, regime, EARLY)
    found = court(phone.story, site({**REGIMES[regime], **MINUTE, "concurrentRegistration": 1}))
    assert {said.split()[-1] for said in found} <= {"concurrent-registration"}


@any_regime
def test_another_port_of_the_same_server_is_no_move(court: Court, regime: str) -> None:
    phone = handset()
    phone.call(200, (P[0], 5080))
    phone.register(210, (P[0], 5062))
    phone.fail_over(300, registers=regime != "R0")
    phone.call(320, (S[0], 5080))
    phone.register(325, (S[0], 5080))
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_servers_of_nobodys_list(court: Court, regime: str) -> None:
    """A paging server, a presence server, a direct call: not the line's entry."""
    phone = handset()
    phone.silence(290, P, "PUBLISH")
    phone.call(300, ("10.66.0.1", 5060))
    phone.fail_over(310, registers=regime != "R0")
    phone.call(330, ("10.66.0.1", 5060))
    returns(phone, regime, 380)
    assert court(phone.story, minute(regime)) == []


# -- transports ------------------------------------------------------------------------------------------------------

@any_regime
def test_a_large_call_goes_by_tcp(court: Court, regime: str) -> None:
    phone = handset()
    phone.fail_over(300, registers=regime != "R0")
    asked = phone.ask(320, S, "INVITE", transport="tcp", headers=f"X-Long: {'x' * 1400}\r\n")
    phone.told(320.5, asked, 200, transport="tcp")
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_tcp_preferred_falls_back_to_udp_at_the_same_server(court: Court, regime: str) -> None:
    phone = handset()
    ends = (phone.place[0], 49_152)

    def tries_tcp(time: float, server: tuple[str, int]) -> None:
        phone.story.syn(time, ends, server)
        phone.story.reset(time + 0.001, server, ends)

    tries_tcp(200, P)
    phone.call(200.01, P)
    tries_tcp(305.4, S)
    phone.fail_over(300, registers=regime != "R0")
    tries_tcp(320, S)
    phone.call(320.01, S)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_a_connection_closed_and_opened_again_a_minute_later(court: Court, regime: str) -> None:
    """persistentConnection=0: an end of a connection is no failure."""
    phone = handset(transport="tcp")
    for time in (60, 120, 180):
        phone.story.reset(time, P, phone.place)
        phone.place = ("10.1.0.5", phone.place[1] + 1)
        phone.register(time + 60, P)
    phone.call(250, S)
    phone.call(280, P)
    found = court(phone.story, minute(regime))
    assert all("certain" not in said for said in found)


@gated_regime
def test_a_refused_connection_is_a_failure_at_once(court: Court, regime: str) -> None:
    for registers in (True, False):
        phone = handset(transport="tcp")
        place = phone.place
        phone.story.reset(299, P, place)
        phone.place = ("10.1.0.5", 49_153)
        phone.story.syn(300, phone.place, P)
        phone.story.reset(300.001, P, phone.place)
        if registers:
            phone.register(300.1, S)
        phone.call(300.2, S)
        expected = [] if registers else [f"300.200 {UNREGISTERED} 1001 10.0.0.2 certain"]
        assert court(phone.story, minute(regime)) == expected


@any_regime
def test_a_phone_that_also_speaks_where_nothing_can_be_read(court: Court, regime: str) -> None:
    phone = handset()
    here, there = ("10.1.0.5", 49_200), (S[0], 5061)
    hello = bytes.fromhex("160301002f0100002b0303") + bytes(32) + bytes.fromhex("00000213010100") + bytes(2)
    sealed = bytes.fromhex("1703030040") + bytes(64)
    phone.story.tcp(100, here, there, hello)
    phone.story.tcp(100.01, there, here, bytes.fromhex("160303000402000000") + sealed)
    for time in (100.02, 100.03):
        phone.story.tcp(time, here, there, sealed)
        phone.story.tcp(time + 0.005, there, here, sealed)
    phone.fail_over(300, registers=False)
    returns(phone, regime, EARLY)
    found = court(phone.story, minute(regime))
    assert found
    assert {said.split()[-1] for said in found} == {"encrypted"}


# -- keepalives ------------------------------------------------------------------------------------------------------

@any_regime
@pytest.mark.parametrize("server", [P, S])
def test_options_and_keepalives(court: Court, regime: str, server: tuple[str, int]) -> None:
    """Neither a try nor a move, and they start no timer anew."""
    phone = moved(regime)
    ping = phone.ask(312, server, "OPTIONS")
    phone.told(312.1, ping, 200)
    phone.story.udp(313, phone.place, server, b"\r\n\r\n")
    phone.story.udp(313.1, server, phone.place, b"\r\n")
    phone.story.udp(313.2, phone.place, server, b"\0")
    for time, method in ((314, "OPTIONS"), (315, "NOTIFY")):
        asked = phone.called(time, server, method, call_id=f"ping{time}@pbx", headers="Event: check-sync\r\n")
        phone.replies(time + 0.1, asked, 200)
    phone.ask(316, server, "NOTIFY", headers="Event: keep-alive\r\n")
    phone.call(330, S, 5)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@gated_regime
def test_options_before_the_registration(court: Court, regime: str) -> None:
    phone = handset()
    time = phone.silence(300)
    ping = phone.ask(time, S, "OPTIONS")
    phone.told(time + 0.1, ping, 200)
    phone.story.udp(time + 0.2, phone.place, S, b"\r\n\r\n")
    phone.call(phone.register(time + 0.3, S), S)
    assert court(phone.story, minute(regime)) == []


@any_regime
@pytest.mark.parametrize("method", ["PUBLISH", "MESSAGE"])
def test_what_is_no_try_and_is_answered_by_the_server_left(court: Court, regime: str, method: str) -> None:
    """PUBLISH and MESSAGE may go either way; the call at S that follows is no second failover."""
    phone = moved(regime)
    asked = phone.ask(312, P, method)
    phone.told(312.1, asked, 200)
    phone.call(330, S, 5)
    returns(phone, regime)
    found = court(phone.story, minute(regime))
    assert all(said.startswith("?") for said in found)


# -- boots, log-outs -------------------------------------------------------------------------------------------------

@any_regime
def test_a_boot_forgets_the_timer(court: Court, regime: str) -> None:
    phone = moved(regime)
    phone.register(345, P, call_id="reborn@10.1.0.5")
    phone.call(346, P)
    found = court(phone.story, minute(regime))
    assert {said.split()[-1] for said in found} <= {"possible-boot"}


@any_regime
def test_a_boot_that_begins_with_a_name_lookup(court: Court, regime: str) -> None:
    phone = moved(regime)
    looks_up(phone, 344.9)
    phone.register(345, P, call_id="reborn@10.1.0.5")
    phone.call(346, P)
    found = court(phone.story, minute(regime))
    assert {said.split()[-1] for said in found} <= {"possible-boot"}


@any_regime
def test_a_boot_that_begins_with_a_connection(court: Court, regime: str) -> None:
    phone = moved(regime, transport="tcp")
    phone.place = ("10.1.0.5", 49_999)
    phone.register(345, P, call_id="reborn@10.1.0.5")
    phone.call(346, P)
    found = court(phone.story, minute(regime))
    assert {said.split()[-1] for said in found} <= {"possible-boot"}


@any_regime
def test_a_boot_of_a_phone_with_two_lines(court: Court, regime: str) -> None:
    story = Story()
    second = handset(story, user="1002")
    first = moved(regime, story)
    if regime != "R0":
        second.register(307, S)
    second.call(308, S, 4)
    for number, line in enumerate((first, second)):
        line.register(345 + number / 10, P, call_id=f"reborn{number}@10.1.0.5")
        line.call(346 + number, P)
    found = court(story, minute(regime))
    assert {said.split()[-1] for said in found} <= {"possible-boot"}


@any_regime
@pytest.mark.parametrize("contact", [None, "*"])
def test_a_user_who_logs_out_and_in_again(court: Court, regime: str, contact: str | None) -> None:
    phone = moved(regime)
    gone = phone.ask(320, S, "REGISTER", expires=0, headers=CREDENTIALS, contact=contact)
    phone.told(320.01, gone, 200)
    phone.register(330, P, call_id="login@10.1.0.5")
    phone.call(332, P)
    found = court(phone.story, minute(regime))
    assert all(said.startswith("?") for said in found)


@any_regime
def test_a_phone_that_changed_its_address(court: Court, regime: str) -> None:
    phone = moved(regime)
    phone.place, phone.contact = ("10.1.0.77", 5060), "sip:1001@10.1.0.77"
    phone.register(330, P, call_id="moved@10.1.0.77")
    phone.call(332, P)
    assert court(phone.story, minute(regime)) == []


# -- routing that is no failover -------------------------------------------------------------------------------------

HELP = [{"uri": "sip:112@pbx.example.com", "to": "sip:112@pbx.example.com"},
        {"uri": "sip:112@10.0.0.2;user=phone", "to": "sip:112@10.0.0.2;user=phone"},
        {"uri": "urn:service:sos", "to": "urn:service:sos"},
        {"uri": "tel:112", "to": "tel:112"}]


@any_regime
@pytest.mark.parametrize("number", HELP, ids=lambda number: number["uri"])
def test_emergency_calls_go_wherever_they_can(court: Court, regime: str, number: dict[str, str]) -> None:
    phone = handset()
    phone.call(phone.silence(300, **number), S, 5, **number)
    phone.call(320, P)
    phone = moved(regime, phone.story, user="1002", place=("10.1.0.6", 5060))
    phone.call(330, P, **number)
    returns(phone, regime)
    found = court(phone.story, minute(regime, emergency=["112"]))
    assert all(said.startswith("?") for said in found)


@any_regime
def test_the_dial_plan_sends_calls_elsewhere(court: Court, regime: str) -> None:
    """P answers all along: a call at S is no failover, the next one at P no failback."""
    phone = handset()
    for time in (100, 110, 120):
        phone.call(time, S, 4, to="sip:0049@pbx.example.com")
        phone.call(time + 5, P, 4)
    found = court(phone.story, minute(regime))
    assert all(said.startswith("?") for said in found)


@any_regime
def test_a_redirection_is_followed(court: Court, regime: str) -> None:
    phone = handset()
    asked = phone.ask(100, P, "INVITE", call_id="sent-on@10.1.0.5")
    phone.told(100.1, asked, 302, headers="Contact: <sip:2000@10.0.0.2>\r\n")
    phone.call(100.2, S, call_id="sent-on@10.1.0.5")
    phone.fail_over(300, registers=regime != "R0")
    asked = phone.ask(320, S, "INVITE")
    phone.told(320.1, asked, 302, headers="Contact: <sip:2000@10.0.0.1>\r\n")
    phone.call(320.2, P, 5)
    returns(phone, regime)
    found = court(phone.story, minute(regime))
    assert all(said.startswith("?") for said in found)


def test_r1_refreshes_the_old_binding(court: Court) -> None:
    phone = handset(granted=90)
    phone.register(240)
    phone.fail_over(300)
    phone.register(320, P)
    phone.call(325, S, 4)
    phone.register(340, P)
    phone.call(345, S, 4)
    returns(phone, "R1")
    assert court(phone.story, minute("R1")) == []


def test_r1_refreshes_the_old_binding_when_it_has_lapsed(court: Court) -> None:
    phone = handset(granted=90)
    phone.register(240)
    phone.fail_over(300)
    phone.silence(311, P, "REGISTER")
    phone.register(345, P)
    phone.call(350, S, 4)
    returns(phone, "R1")
    found = court(phone.story, minute("R1"))
    assert all(said.startswith("?") for said in found)


def test_r0_the_one_called_by_way_of_the_second_server_is_busy(court: Court) -> None:
    """That answer, too, may have been the move, and started the timer."""
    phone = handset(granted=75)
    phone.register(240)
    asked = phone.ask(phone.silence(300), S, "INVITE")
    phone.told(305.6, asked, 486)
    phone.register(320, P)
    phone.call(340, S, 4)
    returns(phone, "R0")
    assert court(phone.story, minute("R0")) == []


def test_r0_registers_at_the_first_server_whatever_its_calls_do(court: Court) -> None:
    phone = handset(granted=60)
    for time in (57, 114, 171, 228):
        phone.register(time)
    phone.fail_over(300, registers=False)
    phone.register(330, P)
    phone.call(340, S, 4)
    returns(phone, "R0")
    found = court(phone.story, minute("R0"))
    assert all(said.startswith("?") for said in found)


@any_regime
@pytest.mark.parametrize("how", ["silence", "icmp", "refusal", "503"])
def test_the_second_server_fails_in_its_turn(court: Court, regime: str, how: str) -> None:
    """Back to the head of the list, long before the minute is over."""
    phone = moved(regime)
    time = 320.0
    if how == "silence":
        time = phone.silence(time, S)
    elif how == "icmp":
        asked = phone.ask(time, S, "INVITE")
        phone.story.unreachable(time + 0.01, asked.packet, S, phone.place)
        time += 0.02
    elif how == "refusal":
        phone.story.syn(time, (phone.place[0], 49_152), S)
        phone.story.reset(time + 0.001, S, (phone.place[0], 49_152))
        time += 0.01
    else:
        asked = phone.ask(time, S, "INVITE")
        phone.told(time + 0.01, asked, 503, headers="Retry-After: 30\r\n")
        time += 0.02
    if regime != "R0":
        time = phone.register(time, P)
    phone.call(time, P)
    found = court(phone.story, minute(regime))
    assert found == ([] if how != "503" else [f"? {PREMATURE} open-code"] if regime != "R1" else found)
    assert all(said.startswith("?") for said in found)


@any_regime
def test_a_failed_try_returns_to_its_own_server(court: Court, regime: str) -> None:
    phone = moved(regime)
    time = phone.silence(366.5, P, "REGISTER" if regime in ("R2", "R3") else "INVITE")
    phone.call(time, S, 4)
    returns(phone, regime, 380)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_a_failed_try_ends_at_the_server_between(court: Court, regime: str) -> None:
    """P and S silent, the line works at T; when it is time P is tried, and S takes the line."""
    phone = handset()
    time = phone.silence(300)
    time = phone.silence(time, S, "INVITE" if regime == "R0" else "REGISTER")
    if regime != "R0":
        time = phone.register(time, T)
    phone.call(time, T, 4)
    time = phone.silence(373, P, "REGISTER" if regime in ("R2", "R3") else "INVITE")
    if regime != "R0":
        time = phone.register(time, S)
    phone.call(time, S, 4)
    found = court(phone.story, site({**REGIMES[regime], **MINUTE}, P, S, T))
    assert found == []


@any_regime
@pytest.mark.parametrize("moves", [True, False])
def test_503_with_retry_after_either_way(court: Court, regime: str, moves: bool) -> None:
    phone = handset()
    asked = phone.ask(300, P, "INVITE")
    phone.told(300.01, asked, 503, headers="Retry-After: 30\r\n")
    if moves and regime != "R0":
        phone.register(300.1, S)
    phone.call(300.2, S if moves else P, 5)
    if moves:
        returns(phone, regime, 361)
    assert court(phone.story, minute(regime)) == []


@gated_regime
@pytest.mark.parametrize("status", [408, 480, 500, 504])
def test_a_move_on_an_answer_that_may_be_no_failure(court: Court, regime: str, status: int) -> None:
    """F4: nobody can tell whether this was a failover at all."""
    phone = handset()
    asked = phone.ask(300, P, "INVITE")
    phone.told(300.01, asked, status)
    phone.call(300.1, S, 5)
    assert court(phone.story, minute(regime)) == [f"? {UNREGISTERED} open-code"]


@gated_regime
def test_a_move_while_a_call_rings_at_the_working_server(court: Court, regime: str) -> None:
    """INVITE with a 1xx and then silence is open as well; here the far end's telephone just rings."""
    phone = handset()
    asked = phone.ask(290, P, "INVITE")
    phone.told(290.1, asked, 180)
    phone.call(305, S, 4, to="sip:0049@pbx.example.com")
    phone.told(310, asked, 200)
    assert court(phone.story, minute(regime)) == [f"? {UNREGISTERED} open-code"]


@gated_regime
def test_a_move_on_503_where_503_moves_nothing(court: Court, regime: str) -> None:
    phone = handset()
    asked = phone.ask(300, P, "INVITE")
    phone.told(300.01, asked, 503)
    phone.call(300.1, S, 5)
    assert court(phone.story, site({**REGIMES[regime], **MINUTE, "failoverOn503Response": 0})) == [
        f"? {UNREGISTERED} open-code"]


# -- the tap ---------------------------------------------------------------------------------------------------------

def mirrored(packet: Packet, delay: float) -> Packet:
    """The packet as the other side of a router has it: one hop more, so another checksum."""
    frame = bytearray(packet.frame)
    frame[22] -= 1
    frame[24:26] = ((int.from_bytes(frame[24:26], "big") + 0x100 - 1) % 0xFFFF + 1).to_bytes(2, "big")
    return Packet(packet.time + delay, bytes(frame), packet.source, packet.destination, packet.what)


@any_regime
@pytest.mark.parametrize("delay", [0.0002, 0.015, 0.045])
def test_a_mirror_port_that_shows_everything_twice(court: Court, regime: str, delay: float) -> None:
    phone = moved(regime)
    returns(phone, regime)
    phone.story.packets += [mirrored(packet, delay) for packet in phone.story.packets]
    assert court(phone.story, minute(regime)) == []


@gated_regime
@pytest.mark.parametrize("delay", [0.0002, 0.015, 0.045])
def test_faults_shown_twice_are_found_once(court: Court, regime: str, delay: float) -> None:
    phone = handset()
    phone.fail_over(300, registers=False)
    phone.story.packets += [mirrored(packet, delay) for packet in phone.story.packets]
    assert court(phone.story, minute(regime)) == [f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain"]


@any_regime
@pytest.mark.parametrize("skew", [0.004, 0.5, -0.5])
def test_two_taps_that_see_the_same(court: Court, regime: str, skew: float) -> None:
    phone = moved(regime)
    returns(phone, regime)
    assert court([phone.story, phone.story.retimed(lambda time: time + skew)], minute(regime)) == []


@any_regime
@pytest.mark.parametrize("skew", [0.0, 0.002, -0.002])
def test_two_taps_that_see_one_direction_each(court: Court, regime: str, skew: float) -> None:
    phone = moved(regime)
    returns(phone, regime)
    here = phone.story.without(lambda packet: packet.source != phone.place)
    there = phone.story.without(lambda packet: packet.source == phone.place).retimed(lambda time: time + skew)
    assert court([here, there], minute(regime)) == []


@any_regime
@pytest.mark.parametrize("hears", [True, False])
def test_a_tap_that_sees_one_direction_only(court: Court, regime: str, hears: bool) -> None:
    phone = moved(regime)
    returns(phone, regime)
    seen = phone.story.without(lambda packet: (packet.source == phone.place) == hears)
    found = court(seen, minute(regime, match={"address": "10.1.0.5"}))
    assert all(said.startswith("?") for said in found)


@gated_regime
def test_a_tap_that_never_hears_the_second_server(court: Court, regime: str) -> None:
    phone = moved(regime)
    returns(phone, regime)
    found = court(phone.story.without(lambda packet: packet.source == S), minute(regime))
    assert all(said.startswith("?") for said in found)


@any_regime
def test_the_clock_is_set_back(court: Court, regime: str) -> None:
    phone = moved(regime)
    returns(phone, regime)
    phone.story.murmur(310, 370)
    found = court(phone.story.retimed(lambda time: time if time < 340 else time - 40), minute(regime))
    assert all(said.startswith("?") for said in found)


@any_regime
@pytest.mark.parametrize("leap", [40, 90_000])
def test_the_clock_leaps_ahead(court: Court, regime: str, leap: int) -> None:
    """The binding at S of the earlier stay, which R1 may use again, seems to have run out."""
    phone = moved(regime)
    returns(phone, regime)
    phone.fail_over(1000, registers=regime in ("R2", "R3"))
    returns(phone, regime, 1067)
    found = court(phone.story.retimed(lambda time: time if time < 1002 else time + leap), minute(regime))
    assert all(said.startswith("?") for said in found)


@gated_regime
def test_two_captures_with_a_hole_between(court: Court, regime: str) -> None:
    """What happened in the hole cannot be known: the line may have registered at S there."""
    early = handset(Story())
    late = Handset(Story())
    late.numbers[late.registration] = 10
    late.register(7200)
    late.fail_over(7300, registers=False)
    found = court([early.story, late.story], minute(regime), covered=0)
    assert found == [f"7305.500 {UNREGISTERED} 1001 10.0.0.2 likely no-earlier-stay"]


@any_regime
def test_the_second_server_may_have_failed_in_the_hole(court: Court, regime: str) -> None:
    """Mode duration with 0: never back before a failure of S, of which the hole hides what there is."""
    first = moved(regime)
    late = Handset(Story(), registration=first.registration)
    late.numbers[late.registration] = 10
    returns(late, regime, 9000)
    found = court([first.story, late.story], site({**REGIMES[regime], **MINUTE, "failBack.timeout": 0}))
    assert all("certain" not in said for said in found)


@any_regime
@any_mode
def test_no_run_of_lost_packets_makes_a_fault_certain(court: Court, regime: str, mode: str) -> None:
    phone = handset(granted=300)
    phone.register(240)
    done = phone.fail_over(300, registers=regime != "R0")
    phone.silence(done + 3, S)
    back = done + 9
    if regime != "R0":
        back = phone.register(back, P)
    phone.call(back, P, 4)
    done = phone.fail_over(back + 20, registers=regime != "R0")
    returns(phone, regime, done + DUE[mode])
    packets = sorted(phone.story.packets, key=lambda packet: packet.time)
    declared = site({**REGIMES[regime], **MODES[mode]}, ttl=TTL)
    certain = []
    for length in (1, 2):
        for first in range(len(packets)):
            lost = packets[first : first + length]
            found = court(phone.story.without(lambda packet, lost=lost: packet in lost), declared)
            certain += [(lost[0].time, lost[0].what, length, said) for said in found
                        if "certain" in said or ("likely" in said and "capture-complete" not in said)]
    assert certain == []


# -- who it is -------------------------------------------------------------------------------------------------------

@any_regime
@pytest.mark.parametrize("agent", ["Yealink SIP-T46S 66.84.0.15", "PolycomSoundPointIP SPIP_550 UA 3.3.2.0413"])
def test_other_makes_are_not_judged(court: Court, regime: str, agent: str) -> None:
    phone = handset(agent=agent)
    phone.fail_over(300, registers=False)
    returns(phone, regime, EARLY)
    found = court(phone.story, minute(regime))
    assert found
    assert {said.split()[-1] for said in found} == {"vendor-unmodelled"}


@pytest.mark.parametrize("agent", [None, "PolycomVVX-VVX_410-UA/5.9.5.0614", "PolycomSoundPointIP-SPIP_550-UA/3.3.0.1"])
def test_phones_that_the_advisory_does_not_name(court: Court, agent: str | None) -> None:
    phone = handset(agent=agent)
    phone.fail_over(300, registers=False)
    assert court(phone.story, minute("R2")) == [f"305.500 {UNREGISTERED} 1001 10.0.0.2 likely firmware-obeys"]


@any_regime
def test_scanners_leave_no_trace(court: Court, regime: str) -> None:
    story = Story()
    scanner = Handset(story, user="1001", place=("198.51.100.7", 5071))
    for step, server in enumerate((P, S, P, S)):
        asked = scanner.ask(290.0 + step, server, "REGISTER", expires=60)
        scanner.told(290.01 + step, asked, 401 if step % 2 else 403, headers=CHALLENGE)
        asked = scanner.ask(291.0 + 4 * step, server, "INVITE", to="sip:900@10.0.0.1")
        scanner.told(291.01 + 4 * step, asked, 404)
    scanner.silence(310, P)
    scanner.ask(316, S, "INVITE", to="sip:900@10.0.0.1")
    phone = moved(regime, story)
    knock = Handset(story, user="100", place=phone.place)
    asked = knock.called(320, ("198.51.100.7", 5071), "INVITE", call_id="knock")
    knock.replies(320.1, asked, 404)
    returns(phone, regime)
    assert court(story, minute(regime)) == []


# -- what is not declared --------------------------------------------------------------------------------------------

def faulty() -> Story:
    """Both faults of a phone in R2."""
    phone = handset()
    phone.fail_over(300, registers=False)
    phone.register(311, S)
    phone.register(EARLY, P)
    return phone.story


def test_settings_that_nobody_declared(court: Court) -> None:
    assert court(faulty(), site(None)) == [f"? {PREMATURE} settings-unknown", f"? {UNREGISTERED} settings-unknown"]


@pytest.mark.parametrize(("said", "left"), [
    ((), {UNREGISTERED, PREMATURE}),
    (("reRegisterOn=1",), {PREMATURE}),
    (("reRegisterOn=1", "failRegistrationOn=1", "onlySignalWithRegistered=1"), {PREMATURE}),
    (("reRegisterOn=1", "failRegistrationOn=1", "failBack.mode=duration"), {PREMATURE}),
    (("failBack.mode=duration", "failBack.timeout=60"), {UNREGISTERED, PREMATURE}),
])
def test_settings_known_in_part(court: Court, said: tuple[str, ...], left: set[str]) -> None:
    found = court(faulty(), site(None), settings=said)
    assert {line.split()[1] for line in found if line.startswith("?")} == left
    assert all("certain" in line for line in found if not line.startswith("?"))


def test_settings_known_as_far_as_needed(court: Court) -> None:
    told = ("reRegisterOn=1", "failRegistrationOn=1", "failBack.mode=duration", "failBack.timeout=60")
    assert court(faulty(), site(None), settings=told) == [
        f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain", f"336.000 {PREMATURE} 1001 10.0.0.1 certain"]


def test_servers_of_which_no_list_is_known(court: Court) -> None:
    told = tuple(f"{name}={value}" for name, value in {**R2, **MINUTE}.items())
    assert court(faulty(), None, settings=told) == [
        f"? {PREMATURE} entry-unknown", f"? {UNREGISTERED} entry-unknown"]


# -- the same faults in all surroundings -----------------------------------------------------------------------------

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


@gated_regime
@surrounded
def test_the_call_before_registration_is_found_everywhere(
    court: Court, regime: str, dress: Callable[[Story], dict[str, Any]]
) -> None:
    story = Story()
    phone = handset(story, **dress(story))
    if phone.transport == "tcp":
        phone.story.reset(299, P, phone.place)
        phone.place = ("10.1.0.5", 49_153)
        phone.story.syn(300, phone.place, P)
        phone.story.reset(300.1, P, phone.place)
    else:
        phone.silence(300)
    phone.call(305.5, S, 5)
    assert court(story, minute(regime)) == [f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain"]


@any_regime
@surrounded
def test_the_early_return_is_found_everywhere(
    court: Court, regime: str, dress: Callable[[Story], dict[str, Any]]
) -> None:
    story = Story()
    phone = handset(story, **dress(story))
    if phone.transport == "tcp":
        phone.story.reset(299, P, phone.place)
        phone.place = ("10.1.0.5", 49_153)
        phone.story.syn(300, phone.place, P)
        phone.story.reset(300.1, P, phone.place)
    else:
        phone.silence(300)
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
        f"305.500 {UNREGISTERED} 1001 [2001:db8::1]".replace("::1]", "::2]") + ":5060 certain".replace(":5060", ""),
        f"336.000 {PREMATURE} 1001 [2001:db8::1] certain"]


@gated_regime
def test_both_faults_among_three_servers(court: Court, regime: str) -> None:
    """P and S silent; the line calls at T at once, registers later, and tries S before the minute is over."""
    phone = handset()
    time = phone.silence(phone.silence(300), S, "REGISTER")
    phone.call(time, T, 4)
    phone.register(320, T)
    returns(phone, regime, EARLY, S)
    assert court(phone.story, site({**REGIMES[regime], **MINUTE}, P, S, T)) == [
        f"311.000 {UNREGISTERED} 1001 10.0.0.3 certain", f"336.000 {PREMATURE} 1001 10.0.0.2 certain"]


@any_regime
def test_the_early_return_is_found_after_all_that_is_no_return(court: Court, regime: str) -> None:
    """Keepalives, calls to the phone, old dialogs and retransmissions hide nothing; R3's old dialogs leave a doubt."""
    phone = handset()
    old = phone.ask(280, P, "INVITE")
    phone.told(281, old, 200)
    phone.acknowledge(281.1, old)
    phone.fail_over(300, registers=regime != "R0")
    phone.hang_up(312, old, answered=False)
    ping = phone.ask(313, S, "OPTIONS")
    phone.told(313.1, ping, 200)
    for time, server, method in ((314, S, "NOTIFY"), (315, P, "OPTIONS"), (316, P, "NOTIFY")):
        asked = phone.called(time, server, method, call_id=f"x{time}@pbx")
        phone.replies(time + 0.1, asked, 200)
    phone.call(320, S, 5)
    returns(phone, regime, EARLY)
    assert court(phone.story, minute(regime)) == [f"336.000 {PREMATURE} 1001 10.0.0.1 certain"]


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
    """REGISTER and INVITE leave together; the answer that comes later shows that there was none before."""
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


def test_names_used_above() -> None:
    assert DOMAIN in CALLEE
    assert "VVX_500" in VVX
    assert SRV[1] == "SRV"
