"""How many REGISTERs a server got in each second: of all the time that is remembered, since only in the end it is known
what was usual.

Those of minutes that are over lie in two arrays, twelve bytes a second where a dictionary takes a hundred and more:
else they would be what grows with the length of a capture.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from math import inf

from sipaudit.turned_away import turned_away

SECONDS_KEPT = 200_000   # of one server, in which it got a REGISTER


class Seconds:
    """`counting` are those that were not laid by: of this minute, and what came late for one that is over. A count of
    the same second may stand in both places."""

    __slots__ = ("_counts", "_times", "counting")

    def __init__(self) -> None:
        self.counting: defaultdict[int, int] = defaultdict(int)
        self._times = array("q")    # ascending, each once
        self._counts = array("I")

    def __len__(self) -> int:
        return len(self._times) + len(self.counting)

    def get(self, second: int) -> int:
        """How many came in this second."""
        return self.counting.get(second, 0) + self._laid_by(second)

    def _laid_by(self, second: int) -> int:
        """How many of them were laid by."""
        place = bisect_left(self._times, second)
        known = place < len(self._times) and self._times[place] == second
        return self._counts[place] if known else 0

    def items(self) -> Iterator[tuple[int, int]]:
        """Each second in which any came, and how many; in no order."""
        return iter(self._counted().items())

    def in_order(self) -> tuple[list[int], list[int]]:
        """The same as two columns, the seconds ascending."""
        counted = self._counted()
        times = sorted(counted)
        return times, list(map(counted.__getitem__, times))

    def _counted(self) -> dict[int, int]:
        counted = dict(zip(self._times, self._counts, strict=True))
        for second, count in self.counting.items():
            counted[second] = counted.get(second, 0) + count
        return counted

    def at_most(self) -> int:
        """No second has more than this."""
        return max(self._counts, default=0) + max(self.counting.values(), default=0)

    def lay_by(self, before: float) -> None:
        """The seconds before that time are over; the older half goes where there are too many."""
        last = self._times[-1] if self._times else -inf
        for second in sorted(second for second in self.counting if last < second < before):
            self._times.append(second)
            self._counts.append(self.counting.pop(second))
        if len(self) > SECONDS_KEPT:
            late = sorted(second for second in self.counting if not self._laid_by(second))
            half = (len(self._times) + len(late)) // 2
            turned_away("watched-minutes", half)
            self.forget(next(islice(merge(self._times, late), half, None)))

    def forget(self, before: float) -> None:
        """Forget the seconds before that time."""
        place = bisect_left(self._times, before)
        del self._times[:place], self._counts[:place]
        for second in [second for second in self.counting if second < before]:
            del self.counting[second]
