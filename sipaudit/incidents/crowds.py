"""Which lines registered at a server in busy seconds, so that a storm, once found, can name its lines.

All lines of the last minute are kept; of earlier times, only the seconds with enough REGISTERs for a storm, and those
around them, with which a storm begins and ends. If even these are too many, the seconds with the fewest REGISTERs are
dropped first: a storm stands out from them.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence, Set
from math import inf

from sipaudit.turned_away import turned_away

LINES_KEPT = 200_000   # of all servers together; a line counts in each second in which it registered
SHED = 4               # the part dropped when there are more: making room is expensive, and must not happen each minute
REQUESTS, WITHIN = 20, 5   # fewer REGISTERs in so many seconds are no storm
ABOUT = 30             # seconds before and after a dense span that may belong to the same storm


class Crowd:
    """Numbers of the lines that sent a server a REGISTER, by second; `count` is their total.

    Seconds before `judged` have been thinned, and are stored in arrays except for the last few: eight bytes a line, as
    otherwise a busy server's table would grow with the length of a capture.
    """

    __slots__ = ("_lines", "_sizes", "_times", "count", "judged", "recent")

    def __init__(self) -> None:
        self.recent: dict[int, list[int]] = {}
        self.count = 0
        self.judged = 0
        self._times = array("q")
        self._sizes = array("I")
        self._lines = array("q")   # one run per second, `_sizes` long

    def note(self, second: int, line: int, times: int = 1) -> None:
        """Record a REGISTER of a line, or `times` of them."""
        self.count += times
        lines = self.recent.get(second)
        if lines is None:
            self.recent[second] = [line] * times
        else:
            lines += [line] * times

    def thin(self, now: float) -> None:
        """Forget the seconds that were not busy enough; the last few seconds cannot be judged yet."""
        until = int(now) - WITHIN - ABOUT
        recent = sorted(self.recent)
        kept = _about(recent, self._dense(recent))
        for second in recent:
            if self.judged <= second < until and second not in kept:
                self.count -= len(self.recent.pop(second))
        self.judged = max(self.judged, until)
        self._lay_by(self.judged - WITHIN - ABOUT)

    def _lay_by(self, until: int) -> None:
        """Pack the seconds up to `until` into arrays: they share no span with what is still to come."""
        for second in [second for second in self.recent if second <= until]:
            lines = self.recent.pop(second)
            self._times.append(second)
            self._sizes.append(len(lines))
            self._lines.extend(lines)

    def _dense(self, ordered: Iterable[int]) -> set[int]:
        """Those of these seconds that lie in a span with enough REGISTERs."""
        dense: set[int] = set()
        span: deque[int] = deque()
        count = 0
        for second in ordered:
            span.append(second)
            count += len(self.recent[second])
            while span[0] <= second - WITHIN:
                count -= len(self.recent[span.popleft()])
            if count >= REQUESTS:
                dense.update(span)
        return dense

    def sizes(self) -> Iterator[tuple[int, int]]:
        """The number of REGISTERs in each second; a packed second may appear twice, if some came late."""
        yield from zip(self._times, self._sizes, strict=True)
        for second, lines in self.recent.items():
            yield second, len(lines)

    def items(self) -> Iterator[tuple[int, Sequence[int]]]:
        """Each second with its lines."""
        at = 0
        for second, size in zip(self._times, self._sizes, strict=True):
            yield second, self._lines[at:at + size]
            at += size
        yield from self.recent.items()

    def drop(self, seconds: Container[int]) -> int:
        """Forget these seconds; returns how many lines were dropped."""
        before, at = self.count, 0
        times, sizes, lines = array("q"), array("I"), array("q")
        for second, size in zip(self._times, self._sizes, strict=True):
            if second not in seconds:
                times.append(second)
                sizes.append(size)
                lines += self._lines[at:at + size]
            at += size
        self._times, self._sizes, self._lines = times, sizes, lines
        self.recent = {second: of_it for second, of_it in self.recent.items() if second not in seconds}
        self.count = len(lines) + sum(map(len, self.recent.values()))
        return before - self.count

    def forget(self, before: float) -> None:
        """Forget the seconds before that time."""
        over = {second for second, _ in self.sizes() if second < before}
        if over:
            self.drop(over)

    def lines(self, start: float, end: float) -> set[int]:
        """The lines between `start` and `end` (seconds since the epoch)."""
        return {line for second, lines in self.items() if start <= second <= end for line in lines}


def _about(ordered: Sequence[int], dense: Set[int]) -> set[int]:
    """Those of these seconds that lie close to a dense one."""
    kept: set[int] = set()
    for way, seconds in ((1, ordered), (-1, reversed(ordered))):
        last: float = inf
        for second in seconds:
            last = second if second in dense else last
            if 0 <= (second - last) * way <= ABOUT:
                kept.add(second)
    return kept


def shed(crowds: Sequence[Crowd]) -> None:
    """Reduce all servers together to the bound LINES_KEPT."""
    count = sum(crowd.count for crowd in crowds)
    if count <= LINES_KEPT:
        return
    room = count - LINES_KEPT + LINES_KEPT // SHED
    going: dict[int, set[int]] = {}
    for size, second, place in sorted((size, second, place) for place, crowd in enumerate(crowds)
                                      for second, size in crowd.sizes()):
        if room <= 0:
            break
        room -= size
        going.setdefault(place, set()).add(second)
    for place, seconds in going.items():
        turned_away("watched-lines", crowds[place].drop(seconds))
