"""Drives a source as `sipaudit live` does, and gives the findings that stand at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from sipaudit import pipeline
from sipaudit.live.ends import Source
from sipaudit.live.probe import Probe
from sipaudit.live.teller import Teller
from sipaudit.model.sayings import FindingSaid, Saying, Withdrawn
from sipaudit.model.values import Finding
from sipaudit.run.brief import understand
from sipaudit.run.job import Job

IDLE = 0.5   # seconds without a new item after which the source counts as read

Found = list[tuple[str, str, float | None]]
"""Rule, line and time of each finding."""


def live(source: Source, site: Path, is_over: Callable[[], bool] = lambda: True) -> Found:
    """The findings once the source gives nothing more and `is_over` is true."""
    probe = Probe(understand(Job((), site=str(site), zone="utc")), [source], time.time())
    teller, said, heard = Teller(probe), list[Saying](), time.monotonic()
    while not is_over() or time.monotonic() - heard < IDLE:
        clock = time.monotonic()
        count = probe.read(clock)
        probe.pass_time(clock, drained=not count)
        said += teller.turn(probe.now(clock))
        if count:
            heard = clock
        else:
            time.sleep(0.01)
    probe.finish()
    said += teller.turn(probe.now(time.monotonic()), at_last=True)
    return _found(_standing(said))


def offline(capture: Path, site: Path, bpf: str | None = None) -> Found:
    """The findings that `analyze` makes from the capture."""
    job = pipeline.Job(paths=(str(capture),), site=str(site), zone="utc", bpf=bpf)
    return _found(finding for finding in pipeline.analyze(job).findings if finding.time is not None)


def _standing(said: list[Saying]) -> list[Finding]:
    standing: dict[str, Finding] = {}
    for one in said:
        if isinstance(one, FindingSaid):
            standing[one.finding.id] = one.finding
        elif isinstance(one, Withdrawn):
            standing.pop(one.id, None)
    return list(standing.values())


def _found(findings: Iterable[Finding]) -> Found:
    return sorted((one.rule, one.line or "", one.time) for one in findings)
