"""Items of several sources, or of several taps of one, in order: each gives what it sees in its own order, and some
give it later than others."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf
from operator import attrgetter

from sipaudit.sip.datagram import Item

HELD_FOR = 0.5        # seconds: the kernel hands a block over within a tenth, and agents ship within less than the rest
HELD_KEPT = 50_000    # items; beyond them the earliest go on

_time = attrgetter("time")


class Hold:
    """Holds items back until those of other sources have come to their time, and for `seconds` more, in which other
    taps may give what they saw; then it lets them go in order of time."""

    __slots__ = ("_held", "_read", "_seconds", "_until")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._forget()

    def _forget(self) -> None:
        self._held: list[Item] = []
        self._read: deque[tuple[float, float]] = deque()   # when there was a look, and to which time all had come then
        self._until = -inf

    @property
    def earliest(self) -> float:
        """The time of the first item that is held, in seconds since the epoch; without end where none is."""
        return min(map(_time, self._held), default=inf)

    @property
    def held(self) -> Sequence[Item]:
        return self._held

    def take(self, read: Sequence[Sequence[Item]], clock: float) -> None:
        """What each source gave when a monotonic clock showed that, in seconds. Who gave nothing has nothing more; of
        the others those may have more that have not come as far."""
        latest = [max(map(_time, items)) for items in read if items]
        for items in read:
            self._held += items
        if self._held:
            self._read.append((clock, min(latest) if latest else max(map(_time, self._held))))

    def ready(self, clock: float) -> list[Item]:
        """What need not be held any longer, in order of time."""
        while self._read and clock - self._read[0][0] >= self._seconds:
            self._until = self._read.popleft()[1]
        held = self._held
        held.sort(key=_time)
        count = next((at for at, item in enumerate(held) if item.time > self._until), len(held))
        count = max(count, len(held) - HELD_KEPT)
        self._held = held[count:]
        return held[:count]

    def everything(self) -> list[Item]:
        """What is held, in order of time: nothing is any more. What comes next may be of another time altogether."""
        held = sorted(self._held, key=_time)
        self._forget()
        return held
