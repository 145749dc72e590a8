"""`python -m bench.stages [NAME]`: where the processor time of a capture goes, stage by stage.

Each run is a process of its own that stops behind one stage; a stage costs what its run takes more than the one before.
"""

from __future__ import annotations

import statistics
import sys
from collections import deque

from bench.captures import DATA, SITE, WORKLOADS, Workload, ensure
from bench.measure import run
from bench.readme import options, tell
from sipaudit.pipeline import Job
from sipaudit.report import document
from sipaudit.run.ahead import known_ahead
from sipaudit.run.first_rows import FirstRows
from sipaudit.run.garbage import leave_whole, rare_collections
from sipaudit.run.job import Output
from sipaudit.run.output import write_files
from sipaudit.run.run import Run

STAGES = ("start", "capture", "parse", "follow", "report", "files")
RUNS = 3


def go(capture: str, stage: str, site: str = str(SITE)) -> None:
    """The route on a capture, up to and with a stage. Raises ValueError for one that is none: it would measure nothing.
    """
    if stage not in STAGES:
        raise ValueError(f"no stage: {stage}")
    rows = FirstRows() if stage == "files" else None   # as the command does
    route = Run(Job((capture,), site=site, jobs=1), print, note=None if rows is None else rows.note,
                reread=stage == "files")
    leave_whole(route)  # as the command does
    if stage in ("follow", "report", "files"):
        route.drive()
    else:
        with rare_collections():  # as `drive` does
            _go_part_of_it(route, stage)
    if stage == "report":
        sys.stdout.buffer.write(document.to_json(route.report()))
    elif stage == "files":
        write_files(route, route.report(), Output(str(DATA / "files")), "utc", rows=rows)


def _go_part_of_it(route: Run, stage: str) -> None:
    if stage == "capture":
        deque(route.reading.captures, maxlen=0)
    elif stage == "parse":
        deque(known_ahead(route.reading.captures), maxlen=0)


def processor(workload: Workload, stage: str) -> float:
    """Processor time in seconds, of a process that ends behind the stage."""
    call = f"from bench.stages import go; go({str(workload.path)!r}, {stage!r}, {str(workload.site)!r})"
    return run([sys.executable, "-c", call], DATA / "stages.out").processor


def table(spent: dict[str, list[float]], messages: int) -> str:
    """What each stage costs: the median of its runs, less that of the stage before."""
    rows = ["| stage | seconds | \u00b5s a message |", "|---|--:|--:|"]
    before = 0.0
    for stage, runs in spent.items():
        until = statistics.median(runs)
        rows.append(f"| {stage} | {until - before:.2f} | {(until - before) / messages * 1e6:.1f} |")
        before = until
    return "\n".join([*rows, f"| **all** | {before:.2f} | {before / messages * 1e6:.1f} |"])


def main() -> None:
    parser = options("bench.stages", __doc__)
    parser.add_argument("name", nargs="?", choices=WORKLOADS, default="sip", metavar="NAME")
    chosen = parser.parse_args()
    workload = WORKLOADS[chosen.name]
    ensure(workload)
    spent: dict[str, list[float]] = {stage: [] for stage in STAGES}
    for _ in range(RUNS):
        for stage in STAGES:
            spent[stage].append(processor(workload, stage))
    text = table(spent, workload.messages)
    tell(f"stages {chosen.name}", text, write=chosen.write)


if __name__ == "__main__":
    main()
