"""One run of one program: time, processor time and peak memory, as the kernel accounts for them."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class Failed(Exception):
    """The program ended with an error; the message is what it said last."""


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds by the clock, seconds of processor time (user and system), bytes of memory at most.

    `peak` is that of the largest process. A child is charged with what its parent held when it was started, so a
    figure below `floor()` cannot be told from it.
    """

    seconds: float
    processor: float
    peak: int


def floor() -> int:
    """The memory of this program itself at most, in bytes."""
    return _bytes(resource.getrusage(resource.RUSAGE_SELF))


def run(command: Sequence[str], output: Path, *, core: int | None = None) -> Cost:
    """Run `command` with its stdout in the file `output`, on one `core` if given. Raises Failed.

    Python programs find their modules compiled, as an installation leaves them, whatever the environment says here.
    """
    said = output.with_suffix(".stderr")
    with output.open("wb") as stdout, said.open("wb") as stderr:
        began = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=_compiled(output.parent),
            preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
        )
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        last = said.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise Failed(f"{command[0]} ended with exit code {child.returncode}: {last[0]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, _bytes(usage))


def _compiled(beside: Path) -> dict[str, str]:
    """The environment, with a folder for compiled modules."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(beside / "compiled")}


def _bytes(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
