"""One number on two domains, on one phone.

Nothing shows which of the two lines makes a call without a name. Where the capture has no registration of the second
line, a call in its name has the Contact of the first, the only one known, and yet is not a call of the first.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories import MINUTE, R0, Asked, Court, Handset, P, S, Settings, Story
from tests.traps.ground import EARLY, REGIMES, RETURN, accused, any_regime, gated_regime, handset, moved, returns

ELSEWHERE = "other.example.com"
NAMELESS: dict[str, Any] = {"sender": "sip:anonymous@anonymous.invalid"}


def two_lines(regime: str, other: Settings | None = None) -> dict[str, Any]:
    """The line that moves is in this regime and returns after a minute; the other has the settings `other`, or the
    same."""
    entry = {"servers": [{"address": P[0]}, {"address": S[0]}]}
    mine = {**REGIMES[regime], **MINUTE}
    return {"entries": {"sbc": entry}, "lines": [
        {"match": {"domain": ELSEWHERE}, "entry": "sbc", "settings": mine if other is None else other},
        {"match": {}, "entry": "sbc", "settings": mine}]}


# -- a call without a name

def phone_of_two(regime: str) -> tuple[Handset, Handset]:
    """A line that has moved to S, and the other one, at P; the line seen last is the one that moved."""
    story = Story()
    other = handset(story, domain=ELSEWHERE, registration="other", calls=100)   # with its own numbering of Call-IDs
    return moved(regime, story), other


def nameless(line: Handset, time: float, server: tuple[str, int]) -> Asked:
    """A call that is answered after a second."""
    asked = line.ask(time, server, "INVITE", **NAMELESS)
    line.told(time + 1, asked, 200, headers=f"Contact: <sip:2000@{server[0]}>\r\n")
    line.acknowledge(time + 1.01, asked)
    return asked


@any_regime
def test_a_call_of_the_other_line_is_no_return(court: Court, regime: str) -> None:
    """Nor does anything inside that call count as sent to a failed server, or accepted from one (F9)."""
    first, other = phone_of_two(regime)
    asked = nameless(other, EARLY, P)
    asks = other.called(340, P, "INFO", call_id=asked.call_id, tag=asked.near)
    other.replies(340.1, asks, 200)
    other.hang_up(342, asked)
    returns(first, regime)
    assert accused(court(first.story, two_lines(regime, R0))) == []


@gated_regime
def test_a_call_to_either_line_is_taken_by_the_other(court: Court, regime: str) -> None:
    """The caller dialled an address that belongs to neither line."""
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
    """S leaves the call unanswered, and the line that worked there wraps to P before its return is due."""
    first, _ = phone_of_two(regime)
    first.silence(EARLY - 5.5, S, **NAMELESS)
    returns(first, regime, EARLY)
    assert accused(court(first.story, two_lines(regime))) == []


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_it_keeps_the_phone_busy(court: Court, regime: str) -> None:
    """B5: a line whose return is due waits for the end of this call."""
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


# -- the second line did not register in the capture

def second(story: Story) -> Handset:
    """The line of which the capture has no REGISTER, because the capture began later, or lost it."""
    return Handset(story, domain=ELSEWHERE, registration="other", calls=100)


@any_regime
@pytest.mark.parametrize("before", [False, True])
def test_its_call_is_no_return_of_the_first(court: Court, regime: str, before: bool) -> None:
    """Nor if the second line is the first to be seen."""
    story = Story()
    other = second(story)
    if before:
        other.call(-100)
    first = moved(regime, story)
    other.call(EARLY, P)
    returns(first, regime)
    assert accused(court(story, two_lines(regime, R0))) == []


@any_regime
def test_a_first_line_that_is_at_s_when_the_capture_begins_has_not_just_gone_there(court: Court, regime: str) -> None:
    story = Story()
    other, first = second(story), Handset(story)
    other.call(200)
    first.register(250, S)
    returns(first, regime, 270)
    other.call(280)
    assert accused(court(story, two_lines(regime, R0), covered=0)) == []


@any_regime
def test_what_it_finds_silent_may_have_driven_the_first(court: Court, regime: str) -> None:
    """The phone as a whole has learnt of the failure (reference-model.md 1)."""
    story = Story()
    first = moved(regime, story)
    second(story).silence(EARLY - 5.5, S)
    returns(first, regime, EARLY)
    assert accused(court(story, two_lines(regime))) == []


@pytest.mark.parametrize("method", ["SUBSCRIBE", "MESSAGE", "PUBLISH", "REGISTER"])
def test_whatever_it_finds_silent(court: Court, method: str) -> None:
    story = Story()
    first = moved("R2", story)
    cut = {"contact": ""} if method == "REGISTER" else {}   # its Contact would identify the line
    second(story).silence(EARLY - 5.5, S, method, headers="Event: presence\r\n", **cut)
    returns(first, "R2", EARLY)
    assert accused(court(story, two_lines("R2"))) == []


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_a_call_to_it_is_not_accepted_by_the_first(court: Court, regime: str) -> None:
    story = Story()
    first = moved(regime, story)
    asked = second(story).called(330, P, "INVITE", call_id="in")
    first.replies(330.1, asked, 180)
    first.replies(331, asked, 200)
    returns(first, regime)
    assert accused(court(story, two_lines(regime, R0))) == []


@any_regime
def test_its_messages_may_be_cut(court: Court, regime: str) -> None:
    """The snap length cuts them before the Contact."""
    story = Story()
    first = moved(regime, story)
    other = second(story)
    other.ask(320, P, "REGISTER", expires=3600, contact="")
    asked = other.ask(EARLY, P, "INVITE", contact="")
    other.told(EARLY + 1, asked, 200)
    returns(first, regime)
    assert accused(court(story, two_lines(regime, R0))) == []


@pytest.mark.parametrize("name", ["sip:1001@10.0.0.1", "sip:+49301001@pbx.example.com", "sip:+49301001@example.net"])
def test_a_line_that_calls_under_another_number_or_the_address_of_its_server_is_judged(court: Court, name: str) -> None:
    first = moved("R0")
    first.call(EARLY, P, sender=name)
    assert len(accused(court(first.story, two_lines("R0")))) == 1
