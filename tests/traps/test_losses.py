"""Packets that must have been sent though the capture lacks them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.stories import CHALLENGE, CREDENTIALS, R0, Court, Handset, P, Packet, S, Story, site
from tests.traps.ground import EARLY, PREMATURE, UNREGISTERED, accused, gated_regime, handset, minute, moved, returns

Choice = Callable[[Packet], bool]
ANSWERS = ("401 REGISTER", "200 REGISTER")


def at_s(*whats: str) -> Choice:
    """Selects these packets of the registration at S, between 305 and 306."""
    return lambda packet: packet.what in whats and S in (packet.source, packet.destination) \
        and 305 < packet.time < 306


@gated_regime
@pytest.mark.parametrize("missing", [("200 REGISTER",), ANSWERS, ("REGISTER", *ANSWERS)],
                         ids=["200", "answers", "registration"])
def test_a_registration_that_the_next_one_shows_to_be_missing(
    court: Court, regime: str, missing: tuple[str, ...],
) -> None:
    phone = moved(regime)
    phone.register(340, S)
    returns(phone, regime)
    found = accused(court(phone.story.without(at_s(*missing)), minute(regime)))
    assert [one for one in found if "certain" in one] == []


@gated_regime
def test_and_one_hours_later(court: Court, regime: str) -> None:
    phone = moved(regime)
    phone.call(500, P)
    phone.register(3800, P)
    found = accused(court(phone.story.without(at_s("REGISTER", *ANSWERS)), minute(regime)))
    assert [one for one in found if "certain" in one and UNREGISTERED in one] == []


@gated_regime
def test_a_call_through_the_server_whose_200_is_missing(court: Court, regime: str) -> None:
    """S sends a call to the phone's Contact, so S must have granted the registration."""
    phone = moved(regime)
    phone.story.packets = [packet for packet in phone.story.packets if packet.time < 305.513]
    invite = phone.called(320, S, "INVITE", call_id="in@far")
    phone.replies(320.1, invite, 180)
    phone.call(322, S, 5.0)
    found = accused(court(phone.story.without(at_s("200 REGISTER")), minute(regime)))
    assert [one for one in found if "certain" in one] == []


@gated_regime
def test_what_never_was_is_not_missed(court: Court, regime: str) -> None:
    """The control: the same story, with a phone that never registered at S."""
    phone = handset()
    phone.fail_over(300, registers=False)
    phone.call(500, P)
    phone.register(3800, P)
    found = accused(court(phone.story, minute(regime)))
    assert [one for one in found if "certain" in one and UNREGISTERED in one] != []


@gated_regime
def test_a_segment_lost_before_the_200_does_not_keep_it_from_being_heard_in_time(court: Court, regime: str) -> None:
    """By TCP: the capture lacks S's 401. The phone's call shows that it received it: it acknowledges all that S
    sent."""
    phone = handset(transport="tcp")
    phone.story.reset(299, P, phone.place)
    phone.place = ("10.1.0.5", 49_153)
    phone.story.syn(300, phone.place, P)
    phone.story.reset(300.001, P, phone.place)
    phone.call(phone.register(300.1, S), S)
    seen = phone.story.without(lambda packet: packet.what == "401 REGISTER" and packet.source == S)
    assert accused(court(seen, minute(regime))) == []


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_a_refusal_of_long_ago_does_not_say_that_no_registration_came_later(court: Court, regime: str) -> None:
    """P refuses the return at 366. The capture lacks 430 to 610, with the registration at 600, as the next REGISTER
    shows."""
    phone = moved(regime)
    phone.told(366.01, phone.ask(366, P, "REGISTER", expires=3600, headers=CREDENTIALS), 503)
    for time in (440, 520):
        phone.call(time, S)
    phone.register(600, P)
    phone.call(620, P)
    phone.register(700, P)
    seen = phone.story.without(lambda packet: 430 < packet.time < 610)
    assert accused([said for said in court(seen, minute(regime)) if "failback-without-registration" in said]) == []


@gated_regime
def test_a_log_out_of_which_a_request_is_missing(court: Court, regime: str) -> None:
    """The phone also removes its binding at S. The capture lacks the REGISTER that S challenged, but nothing after
    it."""
    phone = handset()
    phone.ask(357, P, "MESSAGE")
    phone.register(358, P, expires=0)
    first = phone.ask(358.1, S, "REGISTER", expires=0)
    phone.told(358.104, first, 401, headers=CHALLENGE)
    again = phone.ask(358.107, S, "REGISTER", expires=0, headers=CREDENTIALS)
    phone.told(358.111, again, 200)
    seen = phone.story.without(lambda packet: packet.time == 358.1)
    assert accused(court(seen, minute(regime))) == []


# -- packets lost in one file of a ring, and at one tap of two

def busy(*lost: float) -> Story:
    """One phone returns too soon. Another sends many REGISTERs, of which those at the times `lost` are missing."""
    phone = moved("R2")
    returns(phone, "R2", EARLY)
    other = Handset(phone.story, user="1002", place=("10.1.0.6", 5060))
    for time in range(0, 600, 3):
        other.register(time + 1.5, P if time < 300 else S)
    phone.story.murmur(0, 600)
    return phone.story.without(lambda packet: packet.what == "REGISTER" and packet.time in lost)


@pytest.mark.parametrize("seconds", [700, 100, 10, 3])
@pytest.mark.parametrize(("lost", "confidence"), [
    ([514.5], "certain"), ([526.5 + time for time in range(0, 60, 3)], "likely capture-complete"),
])
def test_a_ring_lacks_what_one_file_would(court: Court, lost: list[float], confidence: str, seconds: int) -> None:
    story = busy(*lost)
    ring = [story.without(partial(lambda file, packet: int(packet.time) // seconds != file, file))
            for file in range(-(-600 // seconds))]
    assert [one for one in court(ring, minute("R2")) if PREMATURE in one] \
        == [f"{EARLY:.3f} {PREMATURE} 1001 10.0.0.1 {confidence}"]


# -- a Call-ID whose first requests the capture lacks

DIVERTED = "305.500 primary-not-tried-first 1001 10.0.0.2 certain"


def diverted(first: int) -> Story:
    """A call that tries P in vain and goes on at S under one Call-ID; the tap misses all that was sent to P. The phone
    numbers its other calls (CSeq) from `first`."""
    phone = handset()
    phone.numbers = {f"call{number}-1001@10.1.0.5:5060": first - 1 for number in range(1, 50)}
    for time in range(10, 260, 10):
        phone.call(time, seconds=5.0)
    asked = phone.ask(300, P, "INVITE", call_id="diverted@10.1.0.5")
    for step in (0.5, 1.5, 3.5):
        phone.again(300 + step, asked)
    phone.call(305.5, S, call_id="diverted@10.1.0.5")
    return phone.story.without(lambda packet: 299 < packet.time < 305)


def test_a_call_that_begins_with_its_second_number_had_been_tried_before(court: Court) -> None:
    assert accused(court(diverted(1), site(R0))) == []


def test_a_phone_that_counts_from_elsewhere_shows_nothing_by_it(court: Court) -> None:
    """The control: for such a phone, a CSeq of 2 may be the first of a call."""
    assert accused(court(diverted(101), site(R0))) == [DIVERTED]


def alone_at_s(first: int) -> Story:
    """A phone that came up at P leaves it and calls at S. Its registrations at S have a Call-ID of their own, which the
    tap shows from CSeq `first` on."""
    phone = handset()
    phone.fail_over(300, registers=False)
    phone.numbers["at-s@10.1.0.5"] = first - 1
    phone.register(420, S, call_id="at-s@10.1.0.5")
    phone.call(430, S, seconds=5.0)
    return phone.story


@gated_regime
def test_registrations_that_begin_with_a_later_number_had_begun_before(court: Court, regime: str) -> None:
    """The phone may have registered at S before it called there."""
    assert [said for said in accused(court(alone_at_s(3), minute(regime))) if "certain" in said] == []


@gated_regime
def test_those_that_begin_with_one_had_not(court: Court, regime: str) -> None:
    """The control: with CSeq 1 no earlier REGISTER is missing."""
    found = accused(court(alone_at_s(1), minute(regime)))
    assert f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain" in found


def test_who_was_never_seen_to_begin_may_have_begun_before_the_capture(court: Court) -> None:
    """The control: a Call-ID used at S since before the capture does not show that the capture lacks a request."""
    story = Story()
    phone = Handset(story)
    phone.numbers[phone.registration] = 40
    phone.register(0)
    phone.fail_over(300, registers=False)
    phone.numbers["at-s@10.1.0.5"] = 8
    phone.register(330, S, call_id="at-s@10.1.0.5")
    assert f"305.500 {UNREGISTERED} 1001 10.0.0.2 certain" in accused(court(story, minute("R1")))


@pytest.mark.parametrize("kind", ["refused", "unanswered"])
@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_number_for_which_no_connection_was_found_is_no_loss(court: Court, kind: str, missing: int) -> None:
    """A REGISTER that could not be sent used up its CSeq; of two missing numbers, one must have been sent."""
    phone = handset(transport="tcp")
    phone.story.reset(290, P, phone.place)
    phone.place = ("10.1.0.5", 49_153)
    phone.story.syn(300, phone.place, P)
    if kind == "refused":
        phone.story.reset(300.001, P, phone.place)
    phone.place = ("10.1.0.5", 49_154)
    phone.numbers[phone.registration] += missing
    phone.register(phone.call(306, S, 3), S)
    phone.call(340, S, 5)
    found = court(phone.story, minute("R1"))
    assert found == ([f"306.000 {UNREGISTERED} 1001 10.0.0.2 certain"] if missing < 2 else
                     [f"? {UNREGISTERED} loss-nearby"])
