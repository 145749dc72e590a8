"""`python -m bench`: times sipaudit and its neighbours on the same captures, in turn; median of several runs."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from bench.captures import DATA, WORKLOADS, Workload, ensure
from bench.measure import Cost, Failed, floor, run
from bench.programs import PROGRAMS, Program
from bench.readme import put
from bench.results import Results, machine, marks, table

PATIENCE = 180.0  # seconds: a neighbour that is slower is not run again, its warm-up is its one run


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="runs after the warm-up (default 5)")
    parser.add_argument("--only", choices=WORKLOADS, metavar="NAME", help=f"one capture: {' or '.join(WORKLOADS)}")
    parser.add_argument("--write", action="store_true", help="put the table into bench/README.md")
    chosen = parser.parse_args()
    if chosen.runs < 1:
        parser.error("--runs must be at least 1")
    return chosen


def measure(workload: Workload, programs: Sequence[Program], runs: int) -> Results:
    """All programs once to warm up, then in turn, `runs` times. Raises Failed when one fails that began well."""
    capture, core = str(workload.path), max(os.sched_getaffinity(0))
    warm = {program: cost for program in programs if (cost := warm_up(program, capture, core)) is not None}
    slow = [program for program, cost in warm.items() if cost.seconds > PATIENCE and program.name != "sipaudit"]
    results = Results(workload, {program.name: [cost] if program in slow else [] for program, cost in warm.items()})
    for number in range(runs):
        for program in warm:
            if program in slow:
                continue
            cost = once(program, capture, core)
            results.runs[program.name].append(cost)
            say(f"{workload.name}, run {number + 1} of {runs}: {program.name} {cost.seconds:.2f} s")
    return results


def warm_up(program: Program, capture: str, core: int) -> Cost | None:
    """One run; a neighbour that cannot do it (None) is left out with a sentence. Raises Failed when it is sipaudit."""
    try:
        return once(program, capture, core)
    except Failed as failure:
        if program.name == "sipaudit":
            raise
        say(f"{failure}; it is left out")
        return None


def once(program: Program, capture: str, core: int) -> Cost:
    return run(program.command(capture), DATA / f"{program.name}.out", core=core if program.one_core else None)


def main() -> int:
    chosen = arguments()
    workloads = [WORKLOADS[chosen.only]] if chosen.only else list(WORKLOADS.values())
    programs = [program for program in PROGRAMS if program.installed]
    for program in PROGRAMS:
        if not program.installed:
            say(f"{program.name} is not installed: it is not measured")
    load = os.getloadavg()[0]
    try:
        for workload in workloads:
            say(f"{workload.path.name}: {workload}")
            ensure(workload)
        measured = [measure(workload, programs, chosen.runs) for workload in workloads]
    except Failed as failure:
        say(str(failure))
        return 1
    versions = ", ".join(program.version() for program in programs)
    words = f"{machine()}; {versions}. Load before the first run: {load:.1f}."
    document = {"machine": words, "load": [load, os.getloadavg()[0]], "captures": [each.as_json() for each in measured]}
    (DATA / "results.json").write_text(json.dumps(document, indent=1) + "\n")
    parts = [words, "", *(line for each in measured for line in (*table(each, floor()), "")), *marks(measured)]
    text = "\n".join(parts)
    print(text)
    if chosen.write:
        put("table", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
