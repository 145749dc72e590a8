"""How much work a capture makes, counted, not timed: `python -m tests.work FOLDER` writes a line of JSON for each
workload. Each is followed in a process of its own, so that nothing is known of the one before."""

from __future__ import annotations

import cProfile
import gc
import json
import os
import sys
from math import inf
from pathlib import Path

from bench.captures import Workload
from sipaudit.pipeline import Job
from sipaudit.run.run import Run
from sipaudit.sip.parse import tighten
from tests.work_budgets import WORKLOADS


def counted(workload: Workload, capture: Path, room: float) -> dict[str, int]:
    """Calls of functions, Python's and those in C, and blocks of memory that are held at the end more than before; the
    parser's memo holds `room` bytes at most."""
    workload.write(capture)
    tighten(room)
    return {"messages": workload.messages, "calls": _calls(_run(workload, capture)), }


def _run(workload: Workload, capture: Path) -> Run:
    return Run(Job((str(capture),), site=str(workload.site)), print)


def _calls(run: Run) -> int:
    profile = cProfile.Profile()
    profile.runcall(run.drive)
    return sum(entry.callcount for entry in profile.getstats())


def _blocks(run: Run) -> int:
    gc.collect()
    before = sys.getallocatedblocks()
    run.drive()
    gc.collect()
    return sys.getallocatedblocks() - before
