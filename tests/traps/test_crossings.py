"""Moves that overlap with something older: calls that end as a return begins, answers nobody waits for any more, taps
that repeat packets, a call dialled before the failover."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sipaudit.capture.write import Endpoint
from tests.stories import CREDENTIALS, PROXY_CHALLENGE, VVX, Asked, Court, Handset, P, S, Story
from tests.traps.ground import RETURN, accused, any_regime, handset, minute, moved, returns

NAT: Endpoint = ("198.51.100.1", 6001)
UDP_PAYLOAD = 42   # its offset in an Ethernet frame with IPv4


def in_a_call(phone: Handset, time: float = 340) -> Asked:
    asked = phone.ask(time, S, "INVITE")
    phone.told(time + 0.1, asked, 200)
    phone.acknowledge(time + 0.2, asked)
    return asked


@any_regime
def test_a_bye_that_is_repeated_until_after_the_return(court: Court, regime: str) -> None:
    phone = moved(regime)
    call = in_a_call(phone)
    bye = phone.ask(RETURN - 1, S, "BYE", call_id=call.call_id, tag="far")
    for step in (0.5, 1.5, 3.5, 7.5):
        phone.again(RETURN - 1 + step, bye)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_a_bye_whose_challenge_comes_with_the_return(court: Court, regime: str) -> None:
    phone = moved(regime)
    call = in_a_call(phone)
    bye = phone.ask(RETURN - 0.1, S, "BYE", call_id=call.call_id, tag="far")
    returns(phone, regime)
    phone.told(RETURN + 0.1, bye, 407, headers=PROXY_CHALLENGE)
    bye = phone.ask(RETURN + 0.11, S, "BYE", call_id=call.call_id, tag="far", headers=f"Proxy-{CREDENTIALS}")
    phone.told(RETURN + 0.2, bye, 200)
    assert court(phone.story, minute(regime)) == []


@any_regime
def test_a_call_whose_far_end_asks_after_it_when_it_is_over(court: Court, regime: str) -> None:
    """The tap missed the BYE. The phone's 481 shows that the call had ended."""
    phone = moved(regime)
    call = in_a_call(phone)
    returns(phone, regime)
    asked = phone.called(RETURN + 20, S, "UPDATE", call_id=call.call_id, tag=call.near)
    phone.replies(RETURN + 20.1, asked, 481)
    assert accused(court(phone.story, minute(regime))) == []


@any_regime
def test_the_far_end_hangs_up_and_the_tap_shows_it_behind_the_return(court: Court, regime: str) -> None:
    phone = moved(regime)
    call = in_a_call(phone)
    bye = phone.called(RETURN + 0.004, S, "BYE", call_id=call.call_id, tag=call.near)
    phone.replies(RETURN + 0.010, bye, 200)
    returns(phone, regime)
    assert accused(court(phone.story, minute(regime))) == []


@any_regime
@pytest.mark.parametrize("heard", [-0.3, -0.003])
@pytest.mark.parametrize("answers", [0.003, 0.1])
def test_the_far_end_hangs_up_and_is_answered_after_the_return(court: Court, regime: str, heard: float,
                                                               answers: float) -> None:
    """For the phone the call is over when the BYE arrives, whenever the phone answers it."""
    phone = moved(regime)
    call = in_a_call(phone)
    bye = phone.called(RETURN + heard, S, "BYE", call_id=call.call_id, tag=call.near)
    phone.replies(RETURN + answers, bye, 200)
    returns(phone, regime)
    assert accused(court(phone.story, minute(regime))) == []


@any_regime
def test_the_far_end_hangs_up_long_after_the_return(court: Court, regime: str) -> None:
    phone = moved(regime)
    call = in_a_call(phone)
    returns(phone, regime)
    bye = phone.called(RETURN + 20, S, "BYE", call_id=call.call_id, tag=call.near)
    phone.replies(RETURN + 20.01, bye, 200)
    busy = "366.500 failback-during-call 1001 10.0.0.1 certain"
    assert accused(court(phone.story, minute(regime))) == [busy] * (regime in ("R2", "R3"))


@any_regime
@pytest.mark.parametrize("ahead", [0.02, 0.4])
def test_the_phone_hangs_up_before_the_return_and_another_tap_says_after(court: Court, regime: str,
                                                                         ahead: float) -> None:
    """Each server has its own tap; the clock of the tap at S is ahead."""
    phone = moved(regime)
    phone.hang_up(RETURN - 0.01, in_a_call(phone))
    returns(phone, regime)
    at_s = [packet for packet in phone.story.packets if S in (packet.source, packet.destination)]
    second = replace(phone.story, packets=at_s).retimed(lambda time: time + ahead)
    taps = [phone.story.without(at_s.__contains__), second]
    assert accused(court(taps, minute(regime))) == []


@any_regime
def test_the_second_server_refuses_only_subscriptions(court: Court, regime: str) -> None:
    """A 503 to one method may move the line on, here back to the head of the list."""
    phone = moved(regime)
    refused = phone.ask(320, S, "SUBSCRIBE", headers="Event: dialog\r\n", expires=3600)
    phone.told(320.1, refused, 503)
    returns(phone, regime, 320.2)
    assert accused(court(phone.story, minute(regime))) == []


@any_regime
def test_a_tap_on_both_sides_of_a_nat(court: Court, regime: str) -> None:
    """The capture shows the same phone twice, at two addresses, with the same transactions."""
    phone = moved(regime, agent=f"{VVX}_0004f2aabbcc")
    returns(phone, regime)
    outside = Story()
    for packet in phone.story.packets:
        source, destination = (NAT if end == phone.place else end for end in (packet.source, packet.destination))
        later = 0.0005 if source == NAT else -0.0005
        outside.udp(packet.time + later, source, destination, packet.frame[UDP_PAYLOAD:], packet.what)
    story = replace(phone.story, packets=phone.story.packets + outside.packets)
    assert court(story, minute(regime)) == []


@any_regime
def test_the_second_server_finds_the_time_too_short(court: Court, regime: str) -> None:
    phone = handset()
    time = phone.silence(300)
    if regime != "R0":
        asked = phone.ask(time, S, "REGISTER", expires=60)
        phone.told(time + 0.1, asked, 423, headers="Min-Expires: 600\r\n")
        time = phone.register(time + 0.2, S, expires=600, challenged=False)
    phone.call(time, S, 5)
    returns(phone, regime)
    assert court(phone.story, minute(regime)) == []


@pytest.mark.parametrize("regime", ["R2", "R3"])
@pytest.mark.parametrize(("later", "found"), [
    (0.009, []), (0.5, ["306.014 failback-without-registration 1001 10.0.0.1"]),
])
def test_a_call_that_crosses_the_move_is_no_return(court: Court, regime: str, later: float, found: list[str]) -> None:
    """The call to P meets the same ICMP error as the move did, and goes on to S."""
    phone = handset()
    ready = phone.register(phone.silence(300, P), S)
    call = phone.ask(ready + later, P, "INVITE")
    phone.story.unreachable(ready + later + 0.002, call.packet, P, phone.place)
    phone.call(ready + later + 0.003, S, 5.0, call_id=call.call_id)
    phone.register(400, P)
    assert [" ".join(one.split()[:4]) for one in accused(court(phone.story, minute(regime)))] == found
