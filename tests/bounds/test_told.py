"""What the outputs of a live run store of what was said stays within its bounds even in weeks (docs/bounds.md)."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import Protocol

import pytest
from msgspec.structs import replace

from sipaudit.capture.health import CaptureHealth
from sipaudit.live.follow.directory import Directory
from sipaudit.live.lines import Lines
from sipaudit.live.metrics import Metrics
from sipaudit.live.notices import Notice
from sipaudit.live.notify import Notifier, Pace
from sipaudit.live.said_incidents import SaidIncidents
from sipaudit.live.said_settings import SaidSettings
from sipaudit.live.view import View
from sipaudit.model.sayings import Saying
from sipaudit.model.values import Place, Reason, Severity
from tests.bounds.reach import size
from tests.live import said

GROWS = 1.01


class Takes(Protocol):
    def take(self, saying: Saying) -> None: ...


def findings(begin: int, end: int) -> Iterator[Saying]:
    return (said.finding(f"f-{number:06d}") for number in range(begin, end))


def incidents(begin: int, end: int) -> Iterator[Saying]:
    """Each incident is over before the next."""
    return (said.incident(f"i-{number:04d}", state="closed", end=said.NOW + 1) for number in range(begin, end))


def undecided(begin: int, end: int) -> Iterator[Saying]:
    return (said.undecided(f"rule-{number}", Reason.TTL_UNKNOWN, 1) for number in range(begin, end))


def reached(begin: int, end: int) -> Iterator[Saying]:
    return (said.reached(f"rule-{number}", 1) for number in range(begin, end))


SINKS: dict[str, Callable[[], Takes]] = {
    "lines": lambda: Lines(io.StringIO(), UTC), "view": lambda: View("eth1", UTC), "metrics": Metrics,
}


@pytest.mark.parametrize("sink", SINKS)
@pytest.mark.parametrize(("flood", "full"), [
    (findings, 20_500), (incidents, 20_500), (undecided, 5_500), (reached, 5_500)])
def test_what_an_end_remembers_of_what_was_said_has_its_bound(
    sink: str, flood: Callable[[int, int], Iterator[Saying]], full: int
) -> None:
    taker = SINKS[sink]()
    sizes = []
    for begin in (0, full):
        for saying in flood(begin, begin + full):
            taker.take(saying)
        sizes.append(size(taker, *([taker._writer] if isinstance(taker, Lines) else [])))
    assert sizes[1] <= sizes[0] * GROWS


def test_findings_of_files_that_were_said_are_known_of_so_many() -> None:
    told, number = SaidSettings(), iter(range(1_000_000))
    sizes = []
    for begin in (0, 20_500):
        found = (replace(said.FINDING, evidence=[Place("a.cfg", line, "x", "x")])
                 for line in range(begin, begin + 20_500))
        assert sum(1 for _ in told.turn(0.0, found, lambda: f"f-{next(number)}", whole=False)) == 20_500
        sizes.append(size(told))
    assert sizes[1] <= sizes[0] * GROWS


def test_incidents_of_an_earlier_run_are_known_of_so_many() -> None:
    told = SaidIncidents()
    sizes = []
    for begin in (0, 2_100):
        for number in range(begin, begin + 2_100):
            told.said_before(replace(said.INCIDENT, id=f"i-{number:04d}"))
        sizes.append(size(told))
    assert sizes[1] <= sizes[0] * GROWS


def test_of_notices_that_the_rate_limit_holds_back_so_many_titles_are_kept() -> None:
    gate = Notifier(["json://127.0.0.1:1/"], UTC, pace=Pace(0, 600.0))._gate
    sizes = []
    for begin in (0, 1_000):
        notices = [Notice(f"title {number}", "", Severity.ERROR) for number in range(begin, begin + 1_000)]
        assert not list(gate.pass_through(notices, said.NOW))
        sizes.append(size(gate))
    assert gate.held == 2_000
    assert sizes[1] <= sizes[0] * GROWS


def test_files_beyond_the_bound_are_counted_and_not_looked_at(tmp_path: Path) -> None:
    for number in range(10_010):
        (tmp_path / f"{number}").touch()
    health = CaptureHealth("captures")
    directory = Directory(tmp_path, health, lambda _: None)
    assert directory.look(0.0) == []
    assert len(directory._seen) == 10_000
    assert health.undecoded == {"file-beyond-bound": 1}


def test_files_that_are_none_of_ours_are_complained_of_so_many_times(tmp_path: Path) -> None:
    for number in range(1_010):
        (tmp_path / f"{number}").write_bytes(b"no capture at all")
    complaints: list[str] = []
    directory = Directory(tmp_path, CaptureHealth("captures"), complaints.append)
    for _ in range(2):
        directory.look(0.0)
    assert len(complaints) == 1_000
