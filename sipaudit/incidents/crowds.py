"""Which lines registered at a server when many did, so that a storm that is found in the end can say whose it was.

All of the last minute are known; of what was before, only the seconds in which enough came for a storm. Where that is
too much, too, those in which the fewest came go first: a storm stands out from them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import takewhile

from sipaudit.turned_away import turned_away

LINES_KEPT = 200_000   # of all servers together; a line counts in each second in which it registered
REQUESTS, WITHIN = 20, 5   # fewer REGISTERs in so many seconds are taken for no storm


class Crowd:
    """Numbers of the lines that sent a server a REGISTER, by second; those before `judged` have been looked at."""

    __slots__ = ("judged", "seconds")

    def __init__(self) -> None:
        self.seconds: dict[int, list[int]] = {}
        self.judged = 0

    def note(self, second: int, line: int, times: int = 1) -> None:
        """A REGISTER of a line, or so many."""
        lines = self.seconds.get(second)
        if lines is None:
            self.seconds[second] = [line] * times
        else:
            lines += [line] * times

    def thin(self, now: float) -> None:
        """Forget the seconds in which not enough came; of the last few this cannot be said yet."""
        until = int(now) - WITHIN
        recent = sorted(self._recent())
        dense = self._dense(recent)
        for second in recent:
            if self.judged <= second < until and second not in dense:
                del self.seconds[second]
        self.judged = max(self.judged, until)

    def _recent(self) -> Iterator[int]:
        """The seconds that were not judged yet, and those before that share a span with them."""
        return takewhile(lambda second: second > self.judged - WITHIN, reversed(self.seconds))

    def _dense(self, ordered: Iterable[int]) -> set[int]:
        """Of these seconds those that lie in some span in which enough came."""
        dense: set[int] = set()
        span: deque[int] = deque()
        count = 0
        for second in ordered:
            span.append(second)
            count += len(self.seconds[second])
            while span[0] <= second - WITHIN:
                count -= len(self.seconds[span.popleft()])
            if count >= REQUESTS:
                dense.update(span)
        return dense

    def forget(self, before: float) -> None:
        """Forget the seconds before that time."""
        for second in [second for second in self.seconds if second < before]:
            del self.seconds[second]

    def lines(self, start: float, end: float) -> set[int]:
        """Those of the time from `start` to `end` (seconds since the epoch)."""
        return {line for second, lines in self.seconds.items() if start <= second <= end for line in lines}


def shed(crowds: Iterable[Crowd]) -> None:
    """Keep no more than may be kept of all servers together."""
    places = [(len(lines), second, crowd) for crowd in crowds for second, lines in crowd.seconds.items()]
    count = sum(size for size, _, _ in places)
    if count <= LINES_KEPT:
        return
    for size, second, crowd in sorted(places, key=lambda place: place[:2]):
        del crowd.seconds[second]
        turned_away("watched-lines", size)
        count -= size
        if count <= LINES_KEPT:
            return
