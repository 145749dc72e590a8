"""Challenges, late answers, old dialogs and keepalives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.stories import (
    CHALLENGE,
    CREDENTIALS,
    P6,
    PROXY_CHALLENGE,
    S6,
    Asked,
    Court,
    Handset,
    P,
    S,
    Story,
    site,
)
from tests.traps.ground import (
    EARLY,
    PREMATURE,
    UNREGISTERED,
    accused,
    any_regime,
    gated_regime,
    handset,
    minute,
    moved,
    returns,
)

SENT, TAKEN, TWICE = "signalling-to-failed-server", "accepted-from-failed-server", "unexpected-re-registration"
ABOUT = (UNREGISTERED, PREMATURE, SENT, TWICE)


def found(court: Court, phone: Handset, regime: str) -> list[str]:
    """The findings, without those that were left open."""
    return accused(court(phone.story, minute(regime)))

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
    assert found(court, phone, regime) == [f"305.500 {TWICE} 1001 10.0.0.2 certain"] * (regime == "R0")


@any_regime
def test_credentials_for_a_challenge_of_the_server_left(court: Court, regime: str) -> None:
    """The 401 arrives after the failover: the re-sent request belongs to the one from before it (F13)."""
    phone = handset()
    asked = phone.ask(300, P, "INVITE", call_id="early@10.1.0.5")
    time = phone.register(phone.silence(300.1), S)
    phone.call(time, S)
    phone.told(310, asked, 401, headers=CHALLENGE)
    phone.ask(310.1, P, "INVITE", call_id="early@10.1.0.5", headers=CREDENTIALS)
    returns(phone, regime)
    assert found(court, phone, regime) == [f"305.600 {TWICE} 1001 10.0.0.2 certain"] * (regime == "R0")



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
@pytest.mark.parametrize("late", [312, 341], ids=["while-it-may-wait", "long-after-it-was-given-up"])
def test_a_late_answer_of_the_server_left_is_no_return(court: Court, regime: str, method: str, late: float) -> None:
    """The timer runs from the failover, not from the call after the late answer. That answers a request that was sent
    and given up before the failover, so no packet is missing."""
    phone = handset()
    slow = phone.ask(299.9, P, method, expires=3600 if method in ("REGISTER", "SUBSCRIBE") else None)
    phone.fail_over(300, registers=regime != "R0")
    own = f"Contact: <{phone.contact}>;expires=3600\r\n" if method == "REGISTER" else ""
    other = Handset(phone.story, user="1099", place=("10.1.0.99", 5060))
    for time in range(301, int(late), 3):   # so that the observer's time advances, too
        other.call(time, P, 1)
    phone.told(late, slow, 200, headers=own)
    if regime != "R0":
        phone.register(late + 5, S)
    phone.call(late + 9, S, 5)
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
    assert found(court, phone, regime) == [f"312.000 {SENT} 1001 10.0.0.1 certain"] * (regime == "R2")


def test_the_unseen_end_of_a_call_that_the_failover_broke(court: Court) -> None:
    """R2: the phone is right to send no BYE to the failed server, and to refuse what the far end still sends."""
    phone = handset()
    asked = phone.ask(200, P, "INVITE")
    phone.told(201, asked, 200)
    phone.acknowledge(201.1, asked)
    phone.fail_over(300)
    again = phone.called(320, P, "INVITE", call_id=asked.call_id, tag=asked.near)
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
    assert found(court, phone, regime) == [f"320.100 {TAKEN} 1001 10.0.0.1 certain"] * (regime == "R2")



@any_regime
@pytest.mark.parametrize("server", [P, S])
def test_options_and_keepalives(court: Court, regime: str, server: tuple[str, int]) -> None:
    """They count neither as a try nor as a move, and do not restart the timer."""
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
    """Except under F9, PUBLISH and MESSAGE may go to either server; the call at S after that is no second failover."""
    phone = moved(regime)
    asked = phone.ask(312, P, method)
    phone.told(312.1, asked, 200)
    phone.call(330, S, 5)
    returns(phone, regime)
    assert found(court, phone, regime) == [f"312.000 {SENT} 1001 10.0.0.1 certain"] * (regime == "R2")


class WritesVia(Handset):
    """A phone whose servers rewrite the Via in their answers, with `via` in place of the phone's own sent-by."""

    own = "10.1.0.5"
    via = "10.1.0.5:5060"

    def told(self, time: float, asked: Asked, status: int, **more: Any) -> None:
        text = asked.text.replace(f"{self.own};branch", f"{self.via};branch")
        super().told(time, replace(asked, text=text), status, **more)


@any_regime
def test_the_servers_write_the_usual_port_into_via(court: Court, regime: str) -> None:
    """An answer is matched by its branch and CSeq (RFC 3261 17.1.3); a Via without a port means 5060 (18.2.2)."""
    phone = WritesVia(Story())
    for time in (-600, -400, -200, 0):
        phone.register(time)
    phone.fail_over(300, registers=regime != "R0")
    returns(phone, regime, EARLY)
    assert court(phone.story, minute(regime)) == [f"{EARLY:.3f} {PREMATURE} 1001 10.0.0.1 certain"]


@any_regime
def test_the_servers_write_an_ipv6_address_in_another_form(court: Court, regime: str) -> None:
    """RFC 5954 4.2: addresses are compared by value, not as text."""
    phone = WritesVia(Story(), place=("2001:db8::5", 5060))
    phone.own, phone.via = "[2001:db8::5]", "[2001:0DB8:0:0:0:0:0:5]"
    for time in (-600, -400, -200, 0):
        phone.register(time, P6)
    phone.fail_over(300, P6, S6, registers=regime != "R0")
    returns(phone, regime, EARLY, P6)
    entries = site({}, P6, S6)["entries"]
    assert court(phone.story, minute(regime) | {"entries": entries}) == [
        f"{EARLY:.3f} {PREMATURE} 1001 [2001:db8::1] certain"]


@any_regime
def test_the_phone_writes_its_ipv6_address_in_two_forms(court: Court, regime: str) -> None:
    phone = Handset(Story(), place=("2001:db8::5", 5060), contact="sip:1001@[2001:db8:0:0:0:0:0:5]")
    phone.register(0, P6)
    phone.contact = "sip:1001@[2001:db8::5]"
    time = phone.silence(300, P6)
    if regime != "R0":
        phone.contact = "sip:1001@[2001:db8:0:0:0:0:0:5]"
        time = phone.register(time, S6)
        phone.contact = "sip:1001@[2001:db8::5]"
    phone.call(time, S6, 5)
    returns(phone, regime, EARLY, P6)
    entries = site({}, P6, S6)["entries"]
    assert court(phone.story, minute(regime) | {"entries": entries}) == [
        f"{EARLY:.3f} {PREMATURE} 1001 [2001:db8::1] certain"]
