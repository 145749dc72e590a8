"""Lines of one entry that work at two servers for five minutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sipaudit.incidents import detectors
from sipaudit.incidents.timers import Timers
from tests.incidents.ground import Tower, end, registered
from tests.stories import R1, R2, Handset, P, S, Settings, Story


def split(story: Story, at_s: int, of: int, until: float, settings: Settings | None = None) -> list[Handset]:
    """`at_s` of the lines move to S, each for a failure of its own, the first at 100, the others at intervals of 70
    s."""
    phones = registered(story, of, apart=1.0)
    for index, phone in enumerate(phones):
        if index < at_s:
            phone.silence(100 + 70 * index - 5.5, P, method="REGISTER")
            phone.register(100 + 70 * index, S)
    for phone in phones[at_s:]:
        phone.register(until - 40)
    end(story, until)
    return phones


@pytest.mark.parametrize(("at_s", "of", "until", "seen"), [
    (1, 5, 402.0, ["split-brain sbc 100.011- 5"]),
    (1, 5, 399.0, []),       # not yet for five minutes
    (1, 6, 500.0, []),       # less than a fifth
])
def test_a_split_is_a_fifth_of_the_lines_on_each_of_two_servers_for_five_minutes(
    tower: Tower, at_s: int, of: int, until: float, seen: list[str]
) -> None:
    story = Story()
    split(story, at_s, of, until)
    assert tower.see(story, {**R2, "failBack.timeout": 3600, "failBack.mode": "duration"}, only="split-brain") == seen


def test_a_split_ends_when_the_lines_are_together_again(tower: Tower) -> None:
    story = Story()
    phones = split(story, 1, 5, 500)
    phones[0].register(600)
    assert tower.see(story, {**R2, "failBack.mode": "newRequests"}, only="split-brain") == [
        "split-brain sbc 100.011-600.011 5"]


@pytest.mark.parametrize("declared", [
    {"settings": R1}, {"settings": {**R2, "concurrentRegistration": 1}}, {"settings": R2, "priorities": (1, 1)}])
def test_it_is_none_where_lines_are_spread_by_right(tower: Tower, declared: dict[str, Any]) -> None:
    """Old registrations in R1, registration with all servers, or load balancing."""
    story = Story()
    split(story, 1, 5, 500)
    assert tower.see(story, only="split-brain", **declared) == []


@pytest.mark.parametrize("unread", [False, True])
def test_who_may_have_returned_where_nothing_can_be_read_is_spread_over_nothing(tower: Tower, unread: bool) -> None:
    """The keys decrypt only some of the sessions."""
    story = Story()
    phones = split(story, 1, 5, 500)
    if unread:
        story.unread(200, (phones[0].place[0], 49_200), (P[0], 5061))
    seen = tower.see(story, {**R2, "failBack.timeout": 3600, "failBack.mode": "duration"}, only="split-brain")
    assert bool(seen) is not unread


class Noted(Timers):
    """Timers that note for whom they were set."""

    def __init__(self) -> None:
        super().__init__()
        self.whats: list[object] = []

    def at(self, time: float, act: Callable[[Any], None], what: Any) -> None:
        super().at(time, act, what)
        self.whats.append(what)


def test_a_line_that_goes_to_and_fro_leaves_no_timers_behind(tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    """In 800 s a split begins 20 times, with time for two checks."""
    made: list[Noted] = []

    def noted() -> Noted:
        made.append(Noted())
        return made[-1]

    monkeypatch.setattr(detectors, "Timers", noted)
    story = Story()
    phones = registered(story, 5, apart=1.0)
    for times in range(20):
        phones[0].fail_over(100 + 40 * times)
        phones[0].register(130 + 40 * times, P)
    end(story, 1000)
    tower.see(story, {**R2, "failBack.mode": "newRequests"})
    assert 1 <= sum(noted.whats.count("sbc") for noted in made) <= 3


def test_nor_while_a_server_is_out(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 5)
    for index, phone in enumerate(phones[:2]):
        phone.fail_over(100 + index)
    end(story, 500)
    assert [line.split()[0] for line in tower.see(story)] == ["server-outage"]
