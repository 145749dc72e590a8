"""One number on two domains, by one phone, and of the second line no registration in the capture: a call in its name
has the Contact of the first, which is all that is known, and yet is not that one's."""

from __future__ import annotations

import pytest

from tests.stories import R0, Court, Handset, P, S, Story
from tests.traps.ground import EARLY, ELSEWHERE, accused, any_regime, moved, returns, two_lines


def second(story: Story) -> Handset:
    """The line of which the capture has no REGISTER, because it began before, or lost it."""
    return Handset(story, domain=ELSEWHERE, registration="other", calls=100)


@any_regime
@pytest.mark.parametrize("before", [False, True])
def test_its_call_is_no_return_of_the_first(court: Court, regime: str, before: bool) -> None:
    """Nor where it was heard of first."""
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
    """The phone has learnt of a failure (reference-model.md 1)."""
    story = Story()
    first = moved(regime, story)
    second(story).silence(EARLY - 5.5, S)
    returns(first, regime, EARLY)
    assert accused(court(story, two_lines(regime))) == []


@pytest.mark.parametrize("method", ["SUBSCRIBE", "MESSAGE", "PUBLISH", "REGISTER"])
def test_whatever_it_finds_silent(court: Court, method: str) -> None:
    story = Story()
    first = moved("R2", story)
    cut = {"contact": ""} if method == "REGISTER" else {}   # with its Contact it would tell the line
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
    """By the snap length, before the Contact."""
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
