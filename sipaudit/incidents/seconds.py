"""How many REGISTERs a server got in each second, for all the time that is remembered, since the usual rate is known
only in the end.

Seconds of past minutes are stored in two arrays, twelve bytes a second where a dictionary takes a hundred and more:
otherwise they would grow with the length of a capture.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from math import inf

from sipaudit.incidents.minutes import MINUTE
from sipaudit.turned_away import turned_away

SECONDS_KEPT = 200_000   # of one server, with a REGISTER


class Seconds:
    """`counting` holds the seconds of this minute and, until the next minute begins, REGISTERs that come late or from a
    clock that is ahead: their seconds may be in the arrays, too."""

    __slots__ = ("_counts", "_odd", "_times", "counting")

    def __init__(self) -> None:
        self.counting: defaultdict[int, int] = defaultdict(int)
        self._odd: dict[int, int] = {}   # seconds that came late or too early; none is in `_times`
        self._times = array("q")    # ascending, without duplicates
        self._counts = array("I")

    def __len__(self) -> int:
        return len(self._times) + len(self._odd) + len(self.counting)

    def get(self, second: int) -> int:
        """The number of REGISTERs in this second."""
        place = self._place(second)
        laid_by = self._odd.get(second, 0) if place is None else self._counts[place]
        return self.counting.get(second, 0) + laid_by

    def _place(self, second: int) -> int | None:
        """The index of this second in the arrays; None if it is not there."""
        place = bisect_left(self._times, second)
        return place if place < len(self._times) and self._times[place] == second else None

    def items(self) -> Iterator[tuple[int, int]]:
        """Each second with any REGISTERs, and their number; unordered."""
        return iter(self._counted().items())

    def in_order(self) -> tuple[list[int], list[int]]:
        """The same as two columns, seconds ascending."""
        counted = self._counted()
        times = sorted(counted)
        return times, list(map(counted.__getitem__, times))

    def _counted(self) -> dict[int, int]:
        counted = dict(zip(self._times, self._counts, strict=True)) | self._odd
        for second, count in self.counting.items():
            counted[second] = counted.get(second, 0) + count
        return counted

    def at_most(self) -> int:
        """An upper bound for the count of any second."""
        laid_by = max(max(self._counts, default=0), max(self._odd.values(), default=0))
        return laid_by + max(self.counting.values(), default=0)

    def lay_by(self, before: float) -> None:
        """Move the seconds before that time, the beginning of a minute, to the arrays; if there are too many, drop the
        older half."""
        last = self._times[-1] if self._times else -inf
        for second in sorted(self.counting):
            if last < second < before:
                self._times.append(second)
                self._counts.append(self.counting.pop(second) + self._odd.pop(second, 0))
            elif not before <= second < before + MINUTE:
                self._lay_apart(second, self.counting.pop(second))
        if len(self) > SECONDS_KEPT:
            odd = sorted(self._odd.keys() | self.counting.keys())
            half = (len(self._times) + len(odd)) // 2
            turned_away("watched-minutes", half)
            self.forget(next(islice(merge(self._times, odd), half, None)))

    def _lay_apart(self, second: int, count: int) -> None:
        """Store a second that came late, or so early that all others would be late after it."""
        place = self._place(second)
        if place is None:
            self._odd[second] = self._odd.get(second, 0) + count
        else:
            self._counts[place] += count

    def forget(self, before: float) -> None:
        """Forget the seconds before that time."""
        place = bisect_left(self._times, before)
        del self._times[:place], self._counts[:place]
        for counts in (self._odd, self.counting):
            for second in [second for second in counts if second < before]:
                del counts[second]
