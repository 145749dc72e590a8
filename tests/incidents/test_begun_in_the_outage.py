"""A capture that is begun when the outage is noticed: requests run out at the first server, and lines register at the
second, all of it seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit.report.verdict import sentences
from tests.incidents.ground import Tower, end, fleet
from tests.stories import R3, P, S, Story


def _seen(tower: Tower) -> None:
    story = Story()
    phones = fleet(story, 6)
    for index, phone in enumerate(phones):
        phone.register(phone.silence(10 + index * 5, P, "REGISTER"), S)
        phone.call(30 + index * 5, S, 5.0)
    for index, phone in enumerate(phones):
        phone.register(200 + index * 5, P)
    end(story, 400)
    assert tower.see(story, R3) == ["server-outage 10.0.0.1 10.000-200.004 6"]


def test_the_turn_to_the_second_server_is_timed(tmp_path: Path) -> None:
    tower = Tower(tmp_path)
    _seen(tower)
    assert tower.of("server-outage").metrics["time_to_detect_p50"] == pytest.approx(5.5, abs=0.02)


def test_the_list_is_not_doubted_where_the_head_was_asked_and_was_out(tmp_path: Path) -> None:
    tower = Tower(tmp_path)
    _seen(tower)
    assert not [line for line in sentences(tower.report, "utc") if "another order than the list" in line]
