"""One run of one program: time, processor time and peak memory, as the kernel accounts for them."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.05  # seconds between two samples of a program's processes


class Failed(Exception):
    """A program failed or did not end in time, or a capture could not be made; the message says why."""


@dataclass(frozen=True)
class Cost:
    """The cost of one run: wall-clock seconds, seconds of processor time (user and system), peak memory in bytes, bytes
    written to stdout.

    `peak` is that of the largest process. The kernel charges a child with its parent's memory at the start, so a figure
    up to `floor()` says nothing of the child. `together` adds up the peaks of all processes of the program (shared
    pages count in each); 0 if not requested.
    """

    seconds: float
    processor: float
    peak: int
    written: int = 0
    together: int = 0


def floor() -> int:
    """The peak memory of this process itself, in bytes."""
    return _bytes(resource.getrusage(resource.RUSAGE_SELF))


def run(command: Sequence[str], output: Path, *, core: int | None = None, limit: float | None = None,
        together: bool = False) -> Cost:
    """Run `command` with its stdout in the file `output`, on one `core` if given, for at most `limit` seconds. With
    `together` the memory of all its processes is sampled meanwhile. Raises Failed.

    Python programs find their bytecode cached, as in an installation, even with PYTHONDONTWRITEBYTECODE set here.
    """
    said = output.with_suffix(".stderr")
    with output.open("wb") as stdout, said.open("wb") as stderr:
        began = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=_compiled(output.parent),
            preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),
        )
        with _Watch(child.pid if together else None) as watch:
            late = threading.Timer(limit, child.kill) if limit is not None else None
            if late is not None:
                late.start()
            _, status, usage = os.wait4(child.pid, 0)
            seconds = time.perf_counter() - began
            if late is not None:
                late.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    if limit is not None and seconds >= limit:
        raise Failed(f"{command[0]} did not end within {limit:.0f} s")
    if child.returncode:
        last = said.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise Failed(f"{command[0]} ended with exit code {child.returncode}: {last[0]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, _bytes(usage), output.stat().st_size, watch.together)


class _Watch:
    """Samples the peak memory of a process and each of its descendants until the end of the `with`."""

    def __init__(self, pid: int | None) -> None:
        self._pid, self._peaks, self._over = pid, dict[int, int](), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    @property
    def together(self) -> int:
        return sum(self._peaks.values())

    def __enter__(self) -> _Watch:
        if self._pid is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._pid is not None:
            self._thread.join()

    def _look(self) -> None:
        assert self._pid is not None
        while not self._over.wait(EVERY):
            for pid in family(self._pid):
                self._peaks[pid] = max(self._peaks.get(pid, 0), peak_of(pid))


def family(pid: int) -> list[int]:
    """The ids of a process and its living descendants."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += [int(word) for word in children.read_text().split()]
            except OSError:   # it has just ended
                continue
    return found


def peak_of(pid: int) -> int:
    """The peak memory of a process so far, in bytes; 0 if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _compiled(beside: Path) -> dict[str, str]:
    """The environment, with a folder for cached bytecode."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(beside / "compiled")}


def _bytes(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
