"""`python -m bench.stages [NAME]`: where the processor time of a capture goes, stage by stage.

Each run is a process of its own that stops behind one stage; a stage costs what its run takes more than the one before.
"""

from __future__ import annotations

import statistics

from bench.captures import DATA, WORKLOADS, Workload, ensure
from bench.measure import run
from bench.readme import options, tell
from bench.until import STAGES, command

RUNS = 3


def processor(workload: Workload, stage: str) -> float:
    """Processor time in seconds, of a process that ends behind the stage."""
    return run(command(workload.path, stage, workload.site), DATA / "stages.out").processor


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
