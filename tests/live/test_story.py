"""A real outage, replayed by its own clock, as the console, the notifications and the metrics report it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC

import pytest

from sipaudit.capture.decode import Decoder
from sipaudit.live.console import draw
from sipaudit.live.ends import Sink
from sipaudit.live.lines import Lines
from sipaudit.live.metrics import Metrics
from sipaudit.live.notices import Notice, Notices
from sipaudit.live.probe import Probe
from sipaudit.live.teller import Teller
from sipaudit.live.view import View
from sipaudit.model.sayings import Saying
from sipaudit.model.values import Severity
from sipaudit.run.job import Job
from sipaudit.run.run import Run
from sipaudit.sip.datagram import Item
from tests.shared import ROOT

SAMPLE = ROOT / "samples" / "first-outage"
AFTERWARDS = 200.0   # seconds that the replay goes on after the last packet
DURING = 401.0       # seconds after the first packet, when the outage is 80 s old


class Recording:
    """A source that gives each packet of a capture when the clock reaches its time."""

    capture, blind, away, by_our_clock, taps = 0, 0.0, False, True, 1

    def __init__(self, run: Run) -> None:
        self.items = list(run.reading.captures_again())
        self.health = run.reading.captures.health[0]
        self.reader = Decoder([self.health])
        self.now = self.began = self.items[0].time
        self._given = 0

    def descriptors(self) -> Sequence[int]:
        return ()

    def read(self) -> Sequence[Item]:
        first = self._given
        while self._given < len(self.items) and self.items[self._given].time <= self.now:
            self._given += 1
        if self._given > first:
            self.health.last = self.items[self._given - 1].time
        return self.items[first:self._given]

    def place(self, frame: int) -> tuple[str, int | None]:
        return "eth1", frame

    def position(self) -> int:
        return self._given

    def go_on(self, position: int) -> bool:
        self._given = position
        return True

    def close(self) -> None:
        """There is nothing to close."""


@dataclass
class Told:
    """The results; `seen` is the view in mid-outage, `learnt` the view of a run that goes on from there."""

    lines: list[str]
    notices: list[Notice]
    metrics: Metrics
    seen: str = field(default="", repr=False)
    learnt: str = field(default="", repr=False)


@pytest.fixture(scope="module")
def told() -> Told:
    run = Run(Job((str(SAMPLE / "capture.pcap"),), site=str(SAMPLE / "site.yaml")), print)
    source, out = Recording(run), io.StringIO()
    began = source.began
    lines, metrics, view = Lines(out, UTC), Metrics(), View("eth1", UTC)
    notices, told = Notices(Severity.WARNING, UTC, began), Told([], [], metrics)
    probe = Probe(run.brief, [source], began)
    teller = Teller(probe)
    for now in replayed(probe, teller, source, (lines, metrics), (notices, view)):
        told.notices += notices.turn(now)
        if now == began + DURING:
            told.seen = draw(view.drawing(now, 40, []), 110, plain=True)
            another = View("eth1", UTC)
            for saying in teller.stand(now):
                another.take(saying)
            told.learnt = draw(another.drawing(now, 40, []), 110, plain=True)
    lines.close()
    told.lines = out.getvalue().splitlines()
    return told


def replayed(probe: Probe, teller: Teller, source: Recording, sinks: Sequence[Sink], takers: Sequence[Notices | View]
             ) -> Iterator[float]:
    """Turn once a second, and give the time after the sinks and takers have taken what was said."""
    while source.now < source.items[-1].time + AFTERWARDS:
        probe.read(source.now)
        probe.pass_time(source.now, drained=True)
        said: list[Saying] = list(teller.turn(probe.now(source.now)))
        for taker in (*sinks, *takers):
            for saying in said:
                taker.take(saying)
        for sink in sinks:
            sink.turn(source.now)
        yield source.now
        source.now += 1.0


def test_people_hear_of_one_outage(told: Told) -> None:
    assert [notice.title for notice in told.notices] == [
        "opened: server-outage at sbc1, 2 lines (i-0001)",
        "grown: server-outage at sbc1, 3 lines (i-0001)",
        "over: server-outage at sbc1, 3 lines (i-0001)",
    ]
    assert told.notices[-1].body.splitlines() == [
        "sbc1 did not answer from 2026-11-22 12:05:12 to 2026-11-22 12:06:11.",
        "3 of 4 lines moved in 37.2 s (median), counted from the known stop at 2026-11-22 12:05:00.",
        "Affected: 3 of 4 lines of Head office.",
        "Findings: 2 (1 signalling-to-unregistered-server, 1 premature-failback)",
    ]


def test_the_log_has_every_move_and_each_finding_once(told: Told) -> None:
    assert sum(" move failover " in line for line in told.lines) == 3
    assert sum(" move failback " in line for line in told.lines) == 3
    assert sum(": expected " in line for line in told.lines) == 2
    assert sum(" incident i-0001 " in line for line in told.lines) == 2


def test_the_metrics_add_up(told: Told) -> None:
    def value(name: str, **labels: str) -> float | None:
        return told.metrics.registry.get_sample_value(f"sipaudit_{name}", labels)

    assert value("lines_working", server="10.0.0.1:5060/udp") == 4
    assert value("lines_working", server="10.0.0.2:5060/udp") == 0
    assert value("moves_total", kind="failover", cause="timeout") == 3
    assert value("findings_total", rule="premature-failback", severity="error") == 1
    assert value("incidents_open", kind="server-outage") == 0


def test_the_view_shows_the_outage_while_it_lasts(told: Told) -> None:
    assert "1 open incident" in told.seen
    assert "server-outage" in told.seen
    assert "premature-failback" in told.seen


def test_a_run_that_goes_on_from_there_shows_the_same(told: Told) -> None:
    def told_of(view: str) -> list[str]:
        return [line for line in view.splitlines() if "10.0.0." in line or "i-0001" in line]

    assert told_of(told.learnt) == told_of(told.seen)
    assert len(told_of(told.seen)) >= 4
