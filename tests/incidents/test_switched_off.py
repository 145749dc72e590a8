"""Phones that are switched off in the evening, and an outage at night, which took nothing from them."""

from __future__ import annotations

import pytest

from tests.incidents.ground import Tower, registered
from tests.stories import Handset, P, S, Story

RENEWED = 240   # seconds after which they renew what was granted for 300


def office(story: Story, off: float) -> list[Handset]:
    """Ten phones that renew; the last six stop at `off`, one of them in the middle of a call."""
    phones = registered(story, 10, apart=1.0, granted=300)
    for number, phone in enumerate(phones):
        for time in range(RENEWED, 2000, RENEWED):
            if number < 4 or time < off:
                phone.register(time + number)
    phones[9].call(off - 8, seconds=0)
    return phones


def goes_dark(story: Story, phones: list[Handset], time: float) -> None:
    """P falls silent: three of the four phones that are on notice, and leave P."""
    for number, phone in enumerate(phones[:3]):
        phone.register(phone.silence(time + number), S)
    phones[3].call(time + 60, P)


@pytest.mark.parametrize(("outage", "stayed"), [(740, 1), (600, 7)])
def test_who_has_not_renewed_at_its_pace_was_off(tower: Tower, outage: int, stayed: int) -> None:
    """The phones were to renew 240 s after the last time, and stay registered for another minute. An outage before the
    renewal was due may have affected them."""
    story = Story()
    phones = office(story, 500)
    goes_dark(story, phones, outage)
    story.murmur(0, 2000)
    tower.see(story)
    metrics = tower.of("server-outage").metrics
    assert (metrics["lines_moved"], metrics["lines_stayed"], metrics["calls_lost"]) == (3, stayed, 0)


def test_who_is_switched_on_again_in_the_morning_was_off_all_the_same(tower: Tower) -> None:
    story = Story()
    phones = office(story, 500)
    goes_dark(story, phones, 1000)
    for number, phone in enumerate(phones[4:]):
        phone.register(1500 + number)
    story.murmur(0, 1700)
    tower.see(story)
    metrics = tower.of("server-outage").metrics
    assert (metrics["lines_moved"], metrics["lines_stayed"], metrics["calls_lost"]) == (3, 1, 0)


@pytest.mark.parametrize("asked", [True, False])
def test_who_asks_in_vain_is_on_and_who_came_back_between_may_renew_later(tower: Tower, asked: bool) -> None:
    """One phone's renewal was lost a minute before the outage. Another registered twice more than it had to: its next
    renewal is due 240 s after that."""
    story = Story()
    phones = registered(story, 6, apart=1.0, granted=300)
    for time in range(RENEWED, 800, RENEWED):
        for number, phone in enumerate(phones):
            if time < 720 or number < 4:
                phone.register(time + number)
    if asked:
        phones[4].silence(700, method="REGISTER")
        phones[5].register(530)
        phones[5].register(550)
    goes_dark(story, phones, 765)
    story.murmur(0, 900)
    tower.see(story)
    metrics = tower.of("server-outage").metrics
    assert (metrics["lines_moved"], metrics["lines_stayed"]) == (3, 3 if asked else 1)
