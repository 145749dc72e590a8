"""Merges items of several sources, or of several taps of one source, by time: each delivers its items in order, but
some deliver later than others."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf
from operator import attrgetter

from sipaudit.sip.datagram import Item

HELD_FOR = 0.5        # seconds: the kernel delivers a block within 0.1 s, and agents ship within less than the rest
HELD_KEPT = 50_000    # items; beyond that the earliest are released

_time = attrgetter("time")


class Hold:
    """Holds items back until the other sources have reached their time, and for `seconds` more, in which other taps may
    deliver theirs; then releases them in order of time."""

    __slots__ = ("_held", "_read", "_seconds", "_until")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._forget()

    def _forget(self) -> None:
        self._held: list[Item] = []
        self._read: deque[tuple[float, float]] = deque()   # clock of each read, time reached by all sources
        self._until = -inf

    @property
    def earliest(self) -> float:
        """The time of the earliest held item, in seconds since the epoch; infinity where there is none."""
        return min(map(_time, self._held), default=inf)

    @property
    def held(self) -> Sequence[Item]:
        return self._held

    def take(self, read: Sequence[Sequence[Item]], clock: float) -> None:
        """Take what each source delivered at `clock` (monotonic, in seconds). A source that delivered nothing has
        nothing more; of the others, one whose items end earlier may still have more."""
        latest = [max(map(_time, items)) for items in read if items]
        for items in read:
            self._held += items
        if self._held:
            self._read.append((clock, min(latest) if latest else max(map(_time, self._held))))

    def ready(self, clock: float) -> list[Item]:
        """The items that need not be held any longer, in order of time."""
        while self._read and clock - self._read[0][0] >= self._seconds:
            self._until = self._read.popleft()[1]
        held = self._held
        held.sort(key=_time)
        count = next((at for at, item in enumerate(held) if item.time > self._until), len(held))
        count = max(count, len(held) - HELD_KEPT)
        self._held = held[count:]
        return held[:count]

    def everything(self) -> list[Item]:
        """Release all held items, in order of time. The items that come next may have quite different times."""
        held = sorted(self._held, key=_time)
        self._forget()
        return held
