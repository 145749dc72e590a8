"""The capture begins in the middle of a story, or the phone starts anew."""

from __future__ import annotations

import pytest

from tests.stories import (
    CREDENTIALS,
    Court,
    Handset,
    P,
    S,
    Story,
)
from tests.traps.ground import (
    PREMATURE,
    UNREGISTERED,
    accused,
    any_regime,
    gated_regime,
    handset,
    looks_up,
    minute,
    moved,
    returns,
)

ABOUT = (UNREGISTERED, PREMATURE)


@any_regime
def test_capture_begins_in_a_registration(court: Court, regime: str) -> None:
    phone = Handset(Story())
    phone.register(0, S)
    phone.call(10, S)
    returns(phone, regime, 30)
    whole = phone.story
    for first in range(5):
        begun = whole.without(whole.packets[:first].__contains__)
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
    """Nobody knows at which server the line worked or was registered before."""
    phone = Handset(Story())
    time = phone.silence(-1)
    phone.call(time, S)
    phone.register(30, S)
    begun = phone.story.without(lambda packet: packet.time < 0)
    assert court(begun, minute(regime), covered=0) == []


def test_r1_wraps_to_a_server_left_before_the_capture_began(court: Court) -> None:
    """F7: new dialogs may go where the line was once registered, even after that registration lapsed."""
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


@pytest.mark.parametrize("rings", [True, False])
def test_a_call_that_rang_until_it_was_answered_drove_no_line_away(court: Court, rings: bool) -> None:
    """F4: P rings, then answers 486, and serves another line. The REGISTER at S only renews, in R1, a binding from
    before the capture: no failover (F7). If P leaves the call without any answer and it goes on to S, it is one."""
    phone = Handset(Story())
    Handset(phone.story, user="1002").call(24, P)
    phone.numbers[phone.registration] = 40
    phone.register(2)
    phone.call(5, P)
    asked = phone.ask(20, P, "INVITE")
    if rings:
        phone.told(20.003, asked, 100)
        phone.told(21, asked, 180)
        phone.told(33, asked, 486)
        phone.acknowledge(33.01, asked)
    phone.register(36, S)
    if not rings:
        phone.call(36.1, S, 3)
    phone.call(45, P)
    assert court(phone.story, minute("R1"), covered=5) == [
        f"? {PREMATURE} started-later" if rings else f"45.000 {PREMATURE} 1001 10.0.0.1 certain"]


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
    assert accused(found) == []


@any_regime
def test_a_phone_that_changed_its_address(court: Court, regime: str) -> None:
    phone = moved(regime)
    phone.place, phone.contact = ("10.1.0.77", 5060), "sip:1001@10.1.0.77"
    phone.register(330, P, call_id="moved@10.1.0.77")
    phone.call(332, P)
    assert court(phone.story, minute(regime)) == []
