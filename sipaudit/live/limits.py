"""`--max-memory`: the tables get what the size allows, and less when the process comes near it all the same.

Python gives memory back to the system only where whole arenas are free, and its allocator fills freed places before
it asks for more.  What the process holds (its resident set) therefore says whether it grew, not what its tables take:
after the tables were made smaller they are made smaller again only when the process has grown beyond that since.
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

NEAR = 0.9          # of the size: beyond, the tables are made smaller
SMALLER = 0.75      # each time, to this part of what they had
STEPS = 8           # times at the most: to a tenth
FAR = 0.7           # of the size: below, for as long as RELAX seconds, they get back one step
RELAX = 600.0
GROWN = 1.01        # as against the resident set after the last step
FILLED = 0.6        # of what is left for tables: the rest is the allocator's, and what is under way
LEAST = 32 << 20    # bytes for tables without which no site can be followed
STEADY = (50_000, 10, 10)  # collections of garbage cycles in a process that does not end

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
    """Bytes of memory that this process holds (resident set, proc(5)); while no file can be opened, the most that it
    ever held."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return getrusage(RUSAGE_SELF).ru_maxrss << 10


class Limits:
    """The budget in force, `budget`, and how it is kept. `check` is to be called about once a second.

    `size` is what the process may hold in bytes, None for no limit; `base` what it holds before it follows anything;
    `decoders` among how many what decoders get is divided.
    Raises InputError when the size leaves nothing to follow phones with.
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
        """Hand over another budget when it is time; `now` is a monotonic clock's, in seconds. What was done, for the
        log."""
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
    """Free what nothing refers to, and give back to the system what it will take."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def steady_collections() -> Iterator[None]:
    """Look for garbage cycles as often as a process needs that does not end: what is there now is left alone."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*STEADY)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
