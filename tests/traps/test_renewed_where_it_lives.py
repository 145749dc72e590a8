"""R0: a registration that an outage has brought to the second server is renewed there, wherever the line works (F5).
The first server gets no REGISTER again, so the last one there stays unanswered; that makes no renewal a move."""

from __future__ import annotations

import pytest

from tests.stories import Court, Handset, P, S, Story
from tests.traps.ground import handset, minute

WENT_AND_CAME = ["failover timeout", "failback duration"]


def diverted(listed: str | None = None) -> Handset:
    """A phone whose REGISTER found P silent at 240 and went to S; its calls have gone to P again since 366."""
    phone = handset(granted=300)
    phone.register(phone.silence(240, P, "REGISTER"), S, listed=listed)
    phone.call(250, S)
    phone.call(366, P)
    return phone


def told_moves(court: Court, phone: Handset) -> list[str]:
    line, = court.report(phone.story, minute("R0")).lines
    return [f"{move.kind} {move.cause}" for move in line.moves]


def test_while_a_call_rings_at_the_first_server(court: Court) -> None:
    phone = diverted()
    asked = phone.ask(485.0, P, "INVITE")
    phone.told(485.1, asked, 180)
    phone.register(485.5, S)
    phone.told(490, asked, 200)
    phone.call(520, P)
    assert told_moves(court, phone) == WENT_AND_CAME


def test_after_a_call_that_was_sent_twice(court: Court) -> None:
    """Half a second is too short for a timeout (F2), whatever the answer."""
    phone = diverted()
    asked = phone.ask(484.0, P, "INVITE")
    phone.again(484.5, asked)
    phone.told(484.51, asked, 180)
    phone.told(484.8, asked, 486)
    phone.register(485.5, S)
    phone.call(520, P)
    assert told_moves(court, phone) == WENT_AND_CAME


def test_where_the_controller_shows_the_phone_another_contact(court: Court) -> None:
    """The 200 does not say how long the registration lasts for the phone's own Contact (F6)."""
    there = "<sip:1001-ab12@10.0.0.2>;expires=300"
    phone = diverted(there)
    phone.register(485.5, S, listed=there)
    phone.call(520, P)
    assert told_moves(court, phone) == WENT_AND_CAME


def test_after_a_start_in_the_outage(court: Court) -> None:
    """The first server has never received a registration from the phone, which is no refusal."""
    phone = Handset(Story(), granted=300)
    phone.register(phone.silence(240, P, "REGISTER"), S)
    phone.call(320, P)
    phone.register(485.5, S)
    phone.call(520, P)
    assert told_moves(court, phone) == ["failback duration"]


@pytest.mark.parametrize(("method", "move"), [
    ("REGISTER", "failover other-response"), ("INVITE", "failback duration")])
def test_minutes_after_the_second_server_answered_500(court: Court, method: str, move: str) -> None:
    """A 500 to a REGISTER moves the line back; a call may get one because nobody is there (F4)."""
    phone = diverted()
    phone.register(500, S)
    phone.call(510, S)
    phone.told(520.1, phone.ask(520, S, method, expires=300 if method == "REGISTER" else None), 500)
    phone.call(620, P)
    assert told_moves(court, phone)[-1] == move
