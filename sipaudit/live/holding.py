"""Items of several taps in order: each gives what it sees in its own order, and some give it a moment later."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from operator import attrgetter

from sipaudit.sip.datagram import Item

HELD_FOR = 0.5        # seconds: the kernel hands a block over within a tenth, and agents ship within less than the rest
HELD_KEPT = 50_000    # items; beyond them those held longest go on as they are

_time = attrgetter("time")


class Hold:
    """Holds items back until those of other taps have had their time to come, and lets them go in order of time."""

    __slots__ = ("_held", "_read", "_until")

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._held: list[Item] = []
        self._read: deque[tuple[float, float]] = deque()   # when items were read, and the latest time among them
        self._until = float("-inf")                        # to which time all have come that will

    def take(self, items: Iterable[Item], clock: float) -> None:
        """These were read when a monotonic clock showed that, in seconds."""
        before = len(self._held)
        self._held += items
        if len(self._held) > before:
            self._read.append((clock, max(map(_time, self._held[before:]))))

    def ready(self, clock: float) -> list[Item]:
        """What need not be held any longer, in order of time."""
        while self._read and clock - self._read[0][0] >= HELD_FOR:
            self._until = max(self._until, self._read.popleft()[1])
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
