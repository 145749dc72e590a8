"""Two lines that move three times in ten minutes."""

from __future__ import annotations

from datetime import UTC

import pytest

from sipaudit.report.incident_words import words_of
from tests.incidents.ground import Tower, end, registered
from tests.stories import MINUTE, R0, Handset, P, S, Story
from tests.wire import ORIGIN


def flaps(phone: Handset, times: list[float]) -> None:
    """To and fro: P is silent and the line moves to S, then P answers it again."""
    for index, time in enumerate(times):
        if index % 2:
            phone.register(time, P)
        else:
            phone.silence(time - 5.5, P, method="REGISTER")
            phone.register(time, S)


@pytest.mark.parametrize(("lines", "times", "seen"), [
    (2, [300.0, 500.0, 899.0], 1),
    (2, [300.0, 500.0, 901.0], 0),     # not within ten minutes
    (1, [300.0, 500.0, 700.0], 0),     # one line
    (2, [300.0, 500.0], 0),            # two moves
])
def test_flapping_is_two_lines_with_three_moves_in_ten_minutes(
    tower: Tower, lines: int, times: list[float], seen: int
) -> None:
    story = Story()
    phones = registered(story, 6)
    for index, phone in enumerate(phones[:lines]):
        flaps(phone, [time + index / 10 for time in times])
    end(story, 2000)
    found = tower.see(story, only="flapping")
    assert len(found) == seen
    if seen:
        assert found == ["flapping sbc 300.011-899.111 2"]


def test_renewals_where_the_lines_were_are_no_moves(tower: Tower) -> None:
    """R0: P was silent for a renewal, and S has granted that and every renewal since (F5); calls are back at P."""
    story = Story()
    for phone in registered(story, 3):
        phone.granted = 240
        phone.silence(300, method="REGISTER")
        phone.register(306, S)
        phone.call(310, S, 4)
        for time in (400, 500, 700, 900):
            phone.call(time, P, 4)
        for time in (486, 666, 846):
            phone.register(time, S)
    end(story, 2000)
    assert tower.see(story, {**R0, **MINUTE}, only="flapping") == []


@pytest.mark.parametrize(("shown_until", "said"), [(1200.0, "; the last move was at 12:"), (1600.0, None)])
def test_when_lines_moved_last_is_said_while_it_may_go_on(tower: Tower, shown_until: float, said: str | None) -> None:
    """The lines have not moved for five minutes as the capture ends: nobody knows whether the flapping is over."""
    story = Story()
    for phone in registered(story, 3):
        flaps(phone, [300.0, 500.0, 899.0])
    end(story, shown_until)
    tower.see(story)
    flapping = tower.of("flapping")
    assert [(round(entry.time - ORIGIN), entry.what) for entry in flapping.timeline] == [(899, "last move")]
    (sentence,) = words_of(tower.report, UTC).of(flapping)
    assert (said in sentence) if said else "last move" not in sentence
    assert (flapping.end is None) is (said is not None)
