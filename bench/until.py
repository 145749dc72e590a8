"""Runs the route up to one stage, in a process that has loaded no more than the command has by then, because its memory
is compared with that of the command."""

from __future__ import annotations

import sys
from collections import deque
from pathlib import Path

from sipaudit.pipeline import Job
from sipaudit.run.garbage import leave_whole, rare_collections
from sipaudit.run.run import Run

STAGES = ("start", "capture", "parse", "follow", "report", "files")


def command(capture: Path, stage: str, site: Path) -> list[str]:
    """The command of a process that runs the route up to a stage."""
    return [sys.executable, "-c", f"from bench.until import go; go({str(capture)!r}, {stage!r}, {str(site)!r})"]


def go(capture: str, stage: str, site: str) -> None:
    """Run the route on a capture, up to and including a stage. Raises ValueError for an unknown stage, which would
    measure nothing."""
    if stage not in STAGES:
        raise ValueError(f"no stage: {stage}")
    if stage == "files":
        _with_files(capture, site)
        return
    route = Run(Job((capture,), site=site, jobs=1), print)
    leave_whole(route)  # as the command does
    if stage in ("follow", "report"):
        route.drive()
    else:
        with rare_collections():  # as `drive` does
            _read(route, stage)
    if stage == "report":
        from sipaudit.report import document

        sys.stdout.buffer.write(document.to_json(route.report()))


def _read(route: Run, stage: str) -> None:
    if stage == "capture":
        deque(route.reading.captures, maxlen=0)
    elif stage == "parse":
        from sipaudit.run.ahead import known_ahead

        deque(known_ahead(route.reading.captures), maxlen=0)


def _with_files(capture: str, site: str) -> None:
    from bench.captures import DATA
    from sipaudit.run.first_rows import FirstRows
    from sipaudit.run.job import Output
    from sipaudit.run.output import write_files
    from sipaudit.times import Span

    rows = FirstRows(Span(None, None))   # as the command does
    route = Run(Job((capture,), site=site, jobs=1), print, note=rows.note, reread=True)
    leave_whole(route)
    route.drive()
    write_files(route, route.report(), Output(str(DATA / "files")), rows)
