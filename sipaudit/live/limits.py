"""`--max-memory`: the tables are sized to fit the limit, and made smaller if the process comes near it all the same.

Python returns memory to the system only where whole arenas are free, and its allocator fills freed places before it
asks for more.  The resident set of the process therefore shows whether it has grown, not how much its tables take: the
tables are made smaller again only when the process has grown since the last time.
"""

from __future__ import annotations

import ctypes
import gc
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

from sipaudit.errors import InputError
from sipaudit.run.budget import Budget, budget

NEAR = 0.9          # share of the size beyond which the tables are made smaller
SMALLER = 0.75      # factor by which each step makes them smaller
STEPS = 8           # steps at most: down to a tenth
FAR = 0.7           # share of the size below which, after RELAX seconds, one step is taken back
RELAX = 600.0
GROWN = 1.01        # growth of the resident set since the last step that allows another
FILLED = 0.6        # share of the room that tables may take: the rest is for the allocator and for work in progress
LEAST = 32 << 20    # bytes for tables without which no site can be followed
STEADY = (50_000, 10, 10)  # thresholds of the garbage collector (gc) for a process that does not end

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([kmg]?)(?:i?b)?", re.IGNORECASE)
_PAGE = os.sysconf("SC_PAGE_SIZE")


def read_size(text: str) -> int:
    """`512M`, `2G`, `800 MiB` in bytes. Raises InputError."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InputError(f"--max-memory {text}: is no size", fix="write bytes, or a number with K, M or G: 512M")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def resident() -> int:
    """The resident set of this process in bytes (proc(5)); while no file can be opened, its maximum so far."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return getrusage(RUSAGE_SELF).ru_maxrss << 10


class Limits:
    """Holds the `budget` in force and enforces the limit; call `check` about once a second.

    `size` is the limit in bytes, None for none; `base` the bytes that the process holds before it follows anything;
    `decoders` the number of decoders that share the budget.
    Raises InputError when the size leaves no room to follow phones.
    """

    def __init__(self, size: int | None, base: int | None = None, *, decoders: int = 1,
                 measure: Callable[[], int] = resident) -> None:
        self._measure = measure
        self._size = size
        self._decoders = decoders
        self._base = measure() if base is None else base
        self._step = 0
        self._after = 0
        self._ample_since: float | None = None
        if size is not None and size * NEAR - self._base < LEAST:
            least = int((self._base + LEAST) / NEAR) + 1
            raise InputError(f"--max-memory: {size:,} bytes is too little", fix=f"give at least {(least >> 20) + 1}M")
        self.budget = self._made()

    def check(self, now: float, tighten: Callable[[Budget], None]) -> str | None:
        """Pass a new budget to `tighten` when that is due; `now` is the monotonic time, in seconds. Returns what was
        done, for the log, or None."""
        if self._size is None:
            return None
        held = self._measure()
        if held >= self._size * NEAR:
            self._ample_since = None
            if self._step < STEPS and held > self._after * GROWN:
                return self._turn(self._step + 1, tighten, held)
        elif held < self._size * FAR and self._step:
            since = self._ample_since = now if self._ample_since is None else self._ample_since
            if now - since >= RELAX:
                self._ample_since = None
                return self._turn(self._step - 1, tighten, held)
        return None

    def _turn(self, step: int, tighten: Callable[[Budget], None], held: int) -> str:
        smaller = step > self._step
        self._step = step
        self.budget = self._made()
        tighten(self.budget)
        if smaller:
            give_back()
        self._after = self._measure()
        share = round(100 * SMALLER**step)
        return f"{held >> 20} MB held: tables have {share} % of their room, {self._after >> 20} MB are held now"

    def _made(self) -> Budget:
        room = float("inf") if self._size is None else (self._size * NEAR - self._base) * FILLED
        return budget(room * SMALLER**self._step, self._decoders)


def give_back() -> None:
    """Collect garbage, and return free memory to the system where possible."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def steady_collections() -> Iterator[None]:
    """Collect garbage as rarely as suits a long-running process, and leave out the objects that exist now."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*STEADY)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
