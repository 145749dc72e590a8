"""Runs all programs on one capture in turn."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bench.captures import DATA, Capture
from bench.measure import Cost, Failed, floor, run
from bench.programs import COPY, FILES, Program
from bench.results import Results, machine
from sipaudit.compiled import in_use

PATIENCE = 180.0   # seconds: a neighbour slower than this is not run again, its warm-up is its only run
LIMIT = 3600.0     # seconds: a neighbour slower than this is stopped


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def made(name: str) -> None:
    """Make a capture if it is missing, in a separate process, because the memory of this process is charged to the
    programs that it starts. Raises Failed."""
    try:
        subprocess.run([sys.executable, "-m", "bench.make", name], check=True)
    except subprocess.CalledProcessError as error:
        raise Failed(f"{name} was not made") from error


def measure(capture: Capture, programs: Sequence[Program], runs: int) -> Results:
    """Run all programs once to warm up, then in turn, `runs` times; if that is 0, the warm-up counts. Raises Failed if
    sipaudit fails, or a program whose warm-up succeeded."""
    load = os.getloadavg()[0]
    warm = {program: cost for program in programs if (cost := _warm_up(program, capture)) is not None}
    once = [program for program, cost in warm.items()
            if program.once or not runs or (cost.seconds > PATIENCE and not program.ours)]
    versions = ", ".join(dict.fromkeys(program.version() for program in warm))
    taken = (f"{datetime.now(UTC):%Y-%m-%d}, {machine()}; {versions}; {in_use()} modules of ours compiled. "
             f"Load before the first run: {load:.1f}.")
    results = Results.of(capture, taken, floor())
    results.runs = {program.name: [cost] if program in once else [] for program, cost in warm.items()}
    for number in range(runs):
        for program in warm:
            if program in once:
                continue
            cost = _once(program, capture)
            results.runs[program.name].append(replace(cost, together=warm[program].together))
            say(f"{capture.name}, run {number + 1} of {runs}: {program.name} {cost.seconds:.2f} s")
    return results


def _warm_up(program: Program, capture: Capture) -> Cost | None:
    """One run; None, with a message, for a neighbour that fails, which is then left out. Raises Failed if sipaudit
    fails."""
    try:
        cost = _once(program, capture, watched=True)
    except Failed as failure:
        if program.ours:
            raise
        say(f"{failure}; it is left out")
        return None
    say(f"{capture.name}, to warm up: {program.name} {cost.seconds:.2f} s")
    return cost


def _once(program: Program, capture: Capture, *, watched: bool = False) -> Cost:
    """One run. `watched`: the memory of all processes of sipaudit is sampled meanwhile, which takes some processor time
    from them."""
    core = max(os.sched_getaffinity(0)) if program.one_core else None
    output = DATA / f"{program.name.replace(' ', '')}.out"
    try:
        return run(program.command(capture), output, core=core, limit=None if program.ours else LIMIT,
                   together=watched and program.ours and not program.one_core)
    finally:
        output.unlink(missing_ok=True)
        COPY.unlink(missing_ok=True)
        shutil.rmtree(FILES, ignore_errors=True)
