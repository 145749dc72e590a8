"""Calls that live on at a server although the phone no longer knows them."""

from __future__ import annotations

import pytest

from tests.incidents.ground import Tower, end, registered
from tests.stories import MINUTE, R3, Asked, Handset, P, S, Story


def moves_in_a_call(story: Story) -> tuple[Handset, Asked]:
    """1001, whose line moves to S during a call through P, and the INVITE of that call."""
    phone, *_ = registered(story, 3)
    asked = phone.ask(200, P, "INVITE")
    phone.told(201, asked, 200)
    phone.acknowledge(201.1, asked)
    phone.fail_over(300)
    return phone, asked


def ghost(story: Story, status: int | None, *, speaks: bool = False) -> None:
    """The line moves to S during a call through P; then the far end sends BYE."""
    phone, asked = moves_in_a_call(story)
    if speaks:
        phone.told(320.01, phone.ask(320, P, "INFO", call_id=asked.call_id, tag="far"), 200)
    bye = asked.text.replace("INVITE sip:2000@pbx.example.com", "BYE sip:1001@10.1.4.1", 1)
    lines = [line for line in bye.split("\r\n") if not line.startswith(("From:", "To:", "CSeq:", "Via:", "Contact:"))]
    near = next(line for line in bye.split("\r\n") if line.startswith("From:"))[6:]
    heads = ["Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKghost", "From: <sip:2000@pbx.example.com>;tag=far", f"To: {near}",
             "CSeq: 7 BYE"]
    said = "\r\n".join([lines[0], *heads, *lines[1:]])
    story.udp(400, P, phone.place, said.encode(), "BYE")
    if status is not None:
        story.udp(400.01, phone.place, P, "\r\n".join(
            [f"SIP/2.0 {status} Any", *heads, next(line for line in lines if line.startswith("Call-ID")),
             "Content-Length: 0", "", ""]).encode(), f"{status} BYE")
    end(story, 440)


@pytest.mark.parametrize(("status", "seen"), [
    (481, ["ghost-calls 10.0.0.1 400.000-400.010 1"]), (None, ["ghost-calls 10.0.0.1 400.000-400.000 1"]), (200, [])])
def test_a_ghost_is_a_call_that_the_phone_has_forgotten(tower: Tower, status: int | None, seen: list[str]) -> None:
    story = Story()
    ghost(story, status)
    assert tower.see(story, only="ghost-calls") == seen


def test_only_where_a_phone_drops_calls_without_a_word(tower: Tower) -> None:
    story = Story()
    ghost(story, 481)
    assert tower.see(story, {**R3, **MINUTE}, only="ghost-calls") == []


@pytest.mark.parametrize(("lacks", "seen"), [(0.0, 1), (390.0, 0)])
def test_nor_where_the_capture_may_lack_its_answer(tower: Tower, lacks: float, seen: int) -> None:
    """The capture lacks another request of the phone at about that time."""
    story = Story()
    ghost(story, None)
    if lacks:
        Handset(story, "1001", ("10.1.4.1", 5060)).orphan(lacks, S)
    assert len(tower.see(story, only="ghost-calls")) == seen


def test_and_only_if_the_phone_said_nothing_in_it(tower: Tower) -> None:
    story = Story()
    ghost(story, 481, speaks=True)
    assert tower.see(story, only="ghost-calls") == []


def test_what_the_far_end_takes_back_is_told_once(tower: Tower) -> None:
    """A re-INVITE that the phone refuses, and its CANCEL, which then matches nothing."""
    story = Story()
    phone, asked = moves_in_a_call(story)
    for number, method in enumerate(("INVITE", "CANCEL")):
        offered = phone.called(400 + number, P, method, call_id=asked.call_id, number=7, tag=asked.near)
        phone.replies(400.01 + number, offered, 481)
    end(story, 440)
    assert tower.see(story, only="ghost-calls") == ["ghost-calls 10.0.0.1 400.000-400.010 1"]
    told = [entry.what for entry in tower.of("ghost-calls").timeline]
    assert told == ["INVITE in a call that sip:1001@pbx.example.com had given up was refused with 481"]


@pytest.mark.parametrize(("apart", "seen"), [(590, 1), (610, 2)])
def test_what_comes_within_ten_minutes_is_one_incident(tower: Tower, apart: int, seen: int) -> None:
    story = Story()
    phone, asked = moves_in_a_call(story)
    for number in range(2):
        offered = phone.called(400 + apart * number, P, "INFO", call_id=asked.call_id, number=7 + number,
                               tag=asked.near)
        phone.replies(400.01 + apart * number, offered, 481)
    end(story, 1100)
    assert len(tower.see(story, only="ghost-calls")) == seen
