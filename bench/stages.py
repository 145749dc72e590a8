"""`python -m bench.stages [NAME] [--write]`: where the processor time of a capture goes, stage by stage.

Each run is a separate process that stops after one stage; the cost of a stage is the difference to the run before.
"""

from __future__ import annotations

import statistics

from bench.captures import DATA, WORKLOADS, Workload, ensure
from bench.measure import run
from bench.readme import options, tell
from bench.until import STAGES, command

RUNS = 3


def processor(workload: Workload, stage: str) -> float:
    """The processor time in seconds of a process that ends after the stage."""
    return run(command(workload.path, stage, workload.site), DATA / "stages.out").processor


def table(spent: dict[str, list[float]], messages: int) -> str:
    """The cost of each stage: the median of its runs, less that of the stage before."""
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
