"""One number on two domains, by one phone: of a call without a name nothing tells which of the two lines makes it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories import R0, Asked, Court, Handset, P, S, Story
from tests.traps.ground import (
    EARLY,
    ELSEWHERE,
    RETURN,
    accused,
    any_regime,
    gated_regime,
    handset,
    moved,
    returns,
    two_lines,
)

NAMELESS: dict[str, Any] = {"sender": "sip:anonymous@anonymous.invalid"}


def phone_of_two(regime: str) -> tuple[Handset, Handset]:
    """A line that has moved to S, and the other one, at P; the one that is known last is the one that moved."""
    story = Story()
    other = handset(story, domain=ELSEWHERE, registration="other", calls=100)   # its Call-IDs are numbered on their own
    return moved(regime, story), other


def nameless(line: Handset, time: float, server: tuple[str, int]) -> Asked:
    """A call that is taken after a second."""
    asked = line.ask(time, server, "INVITE", **NAMELESS)
    line.told(time + 1, asked, 200, headers=f"Contact: <sip:2000@{server[0]}>\r\n")
    line.acknowledge(time + 1.01, asked)
    return asked


@any_regime
def test_a_call_of_the_other_line_is_no_return(court: Court, regime: str) -> None:
    """Nor is what is said in it, and answered, sent to a failed server, or accepted from one (F9)."""
    first, other = phone_of_two(regime)
    asked = nameless(other, EARLY, P)
    asks = other.called(340, P, "INFO", call_id=asked.call_id, tag=asked.near)
    other.replies(340.1, asks, 200)
    other.hang_up(342, asked)
    returns(first, regime)
    assert accused(court(first.story, two_lines(regime, R0))) == []


@gated_regime
def test_a_call_to_either_line_is_taken_by_the_other(court: Court, regime: str) -> None:
    """The caller was told another address than either line has."""
    first, other = phone_of_two(regime)
    asked = other.called(330, P, "INVITE", call_id="in")
    object.__setattr__(asked, "text", asked.text.replace(f"To: <{other.aor}>", "To: <sip:+49301001@example.net>"))
    first.story.packets.pop()
    first.story.udp(330, P, first.place, asked.text.encode(), "INVITE")
    other.replies(330.1, asked, 180)
    other.replies(331, asked, 200)
    returns(first, regime)
    assert accused(court(first.story, two_lines(regime, R0))) == []


@any_regime
def test_what_it_finds_silent_may_have_driven_either_line(court: Court, regime: str) -> None:
    """S leaves it unanswered, and the line that worked there wraps to P, sooner than it may return."""
    first, _ = phone_of_two(regime)
    first.silence(EARLY - 5.5, S, **NAMELESS)
    returns(first, regime, EARLY)
    assert accused(court(first.story, two_lines(regime))) == []


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_it_keeps_the_phone_busy(court: Court, regime: str) -> None:
    """B5: a line that is due waits for its end."""
    first, other = phone_of_two(regime)
    asked = nameless(other, 350, P)
    first.call(400, S)
    other.hang_up(430, asked)
    returns(first, regime, 431)
    assert accused(court(first.story, two_lines(regime, R0))) == []


@pytest.mark.parametrize(("domain", "found"), [(ELSEWHERE, 0), ("pbx.example.com", 1)])
def test_a_call_with_a_name_is_that_lines(court: Court, domain: str, found: int) -> None:
    first, other = phone_of_two("R0")
    (other if domain == ELSEWHERE else first).call(EARLY, P)
    returns(first, "R0", RETURN)
    assert len(accused(court(first.story, two_lines("R0", R0)))) == found
