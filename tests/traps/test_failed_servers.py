"""Servers that count as failed in R2 (F9): other lines, other entries, several taps, and what the tables' scenarios
cannot express."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories import BRANCH, MINUTE, R2, Asked, Court, Handset, P, S, Story, site
from tests.traps.ground import accused, handset

LONG = {"failBack.mode": "duration", "failBack.timeout": 3600}
SENT, TAKEN = "signalling-to-failed-server", "accepted-from-failed-server"


def settled(**more: Any) -> dict[str, Any]:
    """A site in R2 whose phones return only after an hour."""
    return site({**R2, **LONG}, **more)


def talking(story: Story | None = None, **known: Any) -> tuple[Handset, Asked]:
    """A phone with a call up at P."""
    phone = handset(story, **known)
    invite = phone.ask(100, P, "INVITE")
    phone.told(100.1, invite, 180)
    phone.told(101, invite, 200, headers="Contact: <sip:2000@10.0.0.1>\r\n")
    phone.acknowledge(101.01, invite)
    return phone, invite


def moves(phone: Handset) -> float:
    """P falls silent at 300; the line is registered at S from 305.5 on."""
    return phone.register(phone.silence(300, method="REGISTER"), S)


def severities(court: Court, story: Story, declared: dict[str, Any]) -> list[str]:
    return [f"{finding.rule} {finding.severity}" for finding in court.report(story, declared).findings]


def test_a_call_at_the_failed_server_is_an_error(court: Court) -> None:
    phone, invite = talking()
    moves(phone)
    phone.hang_up(320, invite, answered=False)
    assert severities(court, phone.story, settled()) == [f"{SENT} error"]


@pytest.mark.parametrize("method", ["PUBLISH", "MESSAGE"])
def test_what_is_no_call_s_is_a_hint(court: Court, method: str) -> None:
    phone = handset()
    moves(phone)
    phone.ask(320, P, method)
    assert severities(court, phone.story, settled()) == [f"{SENT} info"]


def test_after_a_failed_try_it_is_a_hint(court: Court) -> None:
    phone, invite = talking()
    moves(phone)
    phone.silence(3920, P, "REGISTER")
    phone.hang_up(3960, invite, answered=False)
    assert f"{SENT} info" in severities(court, phone.story, settled())


def test_a_call_taken_from_the_failed_server_is_an_error(court: Court) -> None:
    phone = handset()
    moves(phone)
    phone.replies(320.1, phone.called(320, P, "INVITE", call_id="in"), 180)
    assert severities(court, phone.story, settled()) == [f"{TAKEN} error"]


def test_a_hold_accepted_from_it_is_a_warning(court: Court) -> None:
    phone, invite = talking()
    moves(phone)
    hold = phone.called(320, P, "INVITE", call_id=invite.call_id, tag=invite.near)
    phone.replies(320.1, hold, 200)
    assert severities(court, phone.story, settled()) == [f"{TAKEN} warning"]


def test_the_other_line_is_not_failed_there(court: Court) -> None:
    """Line 2 never moved: its calls at P are right, line 1's are not."""
    story = Story()
    first, _ = talking(story)
    second, invite = talking(story, user="1002")
    moves(first)
    second.hang_up(320, invite)
    second.replies(330.1, second.called(330, P, "INVITE", call_id="in"), 180)
    assert court(story, settled()) == []


def test_the_other_line_may_have_brought_the_phone_back(court: Court) -> None:
    """Nobody states whether a server fails for the line or for the phone; line 2 has registered at P since."""
    story = Story()
    first, invite = talking(story)
    second = handset(story, user="1002")
    moves(first)
    second.register(315, P)
    first.hang_up(320, invite, answered=False)
    first.replies(330.1, first.called(330, P, "INVITE", call_id="in"), 180)
    assert court(story, settled()) == [f"? {TAKEN} readings-differ", f"? {SENT} readings-differ"]


def test_a_registration_of_the_other_line_from_before_brings_nobody_back(court: Court) -> None:
    story = Story()
    first, invite = talking(story)
    second = handset(story, user="1002")
    second.silence(302, P, "REGISTER")
    moves(first)
    first.hang_up(320, invite, answered=False)
    assert court(story, settled()) == [f"320.000 {SENT} 1001 10.0.0.1 certain"]


def test_servers_that_nobody_declared_are_no_entry(court: Court) -> None:
    phone, invite = talking()
    moves(phone)
    phone.hang_up(320, invite, answered=False)
    declared = site({**R2, **LONG})
    del declared["lines"][0]["entry"]
    del declared["entries"]
    assert f"? {SENT} entry-unknown" in court(phone.story, declared)


def test_servers_that_share_the_load_are_no_failover(court: Court) -> None:
    phone, invite = talking()
    moves(phone)
    phone.hang_up(320, invite, answered=False)
    assert f"? {SENT} load-balanced" in court(phone.story, settled(priorities=(1, 1)))


def test_a_branch_server_is_fallback(court: Court) -> None:
    """The branch server is of another entry: no failover leads there, and turning to it does not mark P as failed."""
    phone, invite = talking()
    phone.register(phone.silence(300, method="REGISTER"), BRANCH)
    phone.hang_up(320, invite, answered=False)
    declared = settled()
    declared["entries"]["branch"] = {"servers": [{"address": BRANCH[0]}]}
    declared["lines"][0]["entry"] = ["sbc", "branch"]
    assert not any(SENT in one for one in court(phone.story, declared))


def test_two_taps_whose_clocks_differ_by_a_second(court: Court) -> None:
    """The BYE left before the 200 to the REGISTER arrived; the clock of its tap is ahead."""
    phone, invite = talking()
    there = moves(phone)
    phone.hang_up(there + 0.5, invite, answered=False)
    phone.register(3000, S)
    at_p = Story([packet for packet in phone.story.packets if P in (packet.source, packet.destination)])
    at_s = Story([packet for packet in phone.story.packets if S in (packet.source, packet.destination)])
    assert court([at_p, at_s], settled()) == []
    said = f"{there + 0.5:.3f} {SENT} 1001 10.0.0.1 likely capture-complete"   # the BYE's first sending may be missing
    assert court(phone.story, settled()) == [said]


def test_a_call_from_before_the_failover_that_rings_on(court: Court) -> None:
    """The call was answered through P after the move, so either end may hang up through P."""
    phone = handset()
    first, second = phone.ask(299, P, "INVITE"), phone.ask(299.5, P, "INVITE")
    for invite in (first, second):
        phone.told(299.6, invite, 180)
    moves(phone)
    for number, invite in enumerate((first, second)):
        phone.told(310 + number, invite, 200, headers="Contact: <sip:2000@10.0.0.1>\r\n")
        phone.acknowledge(310.1 + number, invite)
    phone.hang_up(320, first)
    phone.replies(330.1, phone.called(330, P, "BYE", call_id=second.call_id, tag=second.near), 200)
    assert not any(SENT in one or TAKEN in one for one in court(phone.story, settled()))


def test_a_phone_that_returned_is_free(court: Court) -> None:
    phone, invite = talking()
    moves(phone)
    phone.register(370, P)
    phone.hang_up(380, invite)
    assert not any(SENT in one for one in court(phone.story, site({**R2, **MINUTE})))


def test_a_repetition_by_a_mirror_port_is_no_second_request(court: Court) -> None:
    """A BYE from before the failover is seen twice, the second time after it."""
    phone, invite = talking()
    phone.silence(300, method="REGISTER")
    asked = phone.ask(305.4, P, "BYE", call_id=invite.call_id, tag="far")
    phone.register(305.5, S)
    phone.again(305.9, asked)
    assert court(phone.story, settled()) == []


def test_where_packets_are_missing_the_try_may_be_one_of_them(court: Court) -> None:
    phone, invite = talking()
    moves(phone)
    phone.orphan(310, S)
    phone.hang_up(320, invite, answered=False)
    phone.replies(330.1, phone.called(330, P, "INVITE", call_id="in"), 180)
    assert court(phone.story, settled()) == [f"? {TAKEN} loss-nearby", f"? {SENT} loss-nearby"]


def test_a_foreign_phone_s_silence_is_not_modelled(court: Court) -> None:
    phone, invite = talking(agent="Yealink SIP-T46S 66.85.0.5")
    moves(phone)
    phone.hang_up(320, invite, answered=False)
    said = court(phone.story, settled())
    assert f"? {SENT} vendor-unmodelled" in said
    assert not any(SENT in one for one in accused(said))


def test_the_moved_phone_has_another_line_at_another_address(court: Court) -> None:
    """The other phone has the same AOR, and never lost P."""
    story = Story()
    first, _ = talking(story)
    other, invite = talking(story, place=("10.1.0.6", 5060))
    moves(first)
    other.hang_up(320, invite)
    assert court(story, settled()) == []
