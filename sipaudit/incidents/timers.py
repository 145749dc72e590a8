"""Calls that are due at a later time of the captures."""

from __future__ import annotations

from collections.abc import Callable, Set
from heapq import heapify, heappop, heappush
from math import inf
from typing import Any, TypeVar

TIMERS_KEPT = 200_000

What = TypeVar("What")


class Timers:
    """Calls to be made at a time of the captures. `now`: the latest time seen; `next`: when the first call is due. A
    full table accepts no more; `dropped` counts those."""

    __slots__ = ("_count", "_waiting", "dropped", "next", "now")

    def __init__(self) -> None:
        self.now = -inf
        self.next = inf
        self.dropped = 0
        self._count = 0
        self._waiting: list[tuple[float, int, Callable[[Any], None], Any]] = []

    def at(self, time: float, act: Callable[[What], None], what: What) -> None:
        """At `time` (seconds since the epoch) call `act(what)`."""
        if len(self._waiting) < TIMERS_KEPT:
            self._count += 1
            heappush(self._waiting, (time, self._count, act, what))
            self.next = self._waiting[0][0]
        else:
            self.dropped += 1

    def cancel(self, whats: Set[object]) -> None:
        """Cancel the calls for these objects."""
        self._waiting = [one for one in self._waiting if one[3] not in whats]
        heapify(self._waiting)
        self.next = self._waiting[0][0] if self._waiting else inf

    def pass_time(self, now: float) -> None:
        """Make the calls that are due."""
        while self._waiting and self._waiting[0][0] <= now:
            _, _, act, what = heappop(self._waiting)
            act(what)
        self.next = self._waiting[0][0] if self._waiting else inf
