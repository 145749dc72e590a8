"""Which lines registered at a server when many did, so that a storm that is found in the end can say whose it was.

All of the last minute are known; of what was before, only the seconds in which enough came for a storm, and those about
them, with which a storm begins and ends. Where that is
too much, too, those in which the fewest came go first: a storm stands out from them.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence, Set
from math import inf

from sipaudit.turned_away import turned_away

LINES_KEPT = 200_000   # of all servers together; a line counts in each second in which it registered
SHED = 4               # the part that goes where there are more: making room is dear, and not to be done each minute
REQUESTS, WITHIN = 20, 5   # fewer REGISTERs in so many seconds are taken for no storm
ABOUT = 30             # seconds before and after enough came that may be of the same storm


class Crowd:
    """Numbers of the lines that sent a server a REGISTER, by second; `count` of them.

    Those before `judged` have been looked at, and lie in arrays but for the last few: eight bytes a line, where a busy
    server would else be what grows with the length of a capture.
    """

    __slots__ = ("_lines", "_sizes", "_times", "count", "judged", "recent")

    def __init__(self) -> None:
        self.recent: dict[int, list[int]] = {}
        self.count = 0
        self.judged = 0
        self._times = array("q")
        self._sizes = array("I")
        self._lines = array("q")   # of each second so many

    def note(self, second: int, line: int, times: int = 1) -> None:
        """A REGISTER of a line, or so many."""
        self.count += times
        lines = self.recent.get(second)
        if lines is None:
            self.recent[second] = [line] * times
        else:
            lines += [line] * times

    def thin(self, now: float) -> None:
        """Forget the seconds in which not enough came; of the last few this cannot be said yet."""
        until = int(now) - WITHIN - ABOUT
        recent = sorted(self.recent)
        kept = _about(recent, self._dense(recent))
        for second in recent:
            if self.judged <= second < until and second not in kept:
                self.count -= len(self.recent.pop(second))
        self.judged = max(self.judged, until)
        self._lay_by(self.judged - WITHIN - ABOUT)

    def _lay_by(self, until: int) -> None:
        """The seconds up to that one share no span with what still comes."""
        for second in [second for second in self.recent if second <= until]:
            lines = self.recent.pop(second)
            self._times.append(second)
            self._sizes.append(len(lines))
            self._lines.extend(lines)

    def _dense(self, ordered: Iterable[int]) -> set[int]:
        """Of these seconds those that lie in some span in which enough came."""
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
        """How many came in each second; of one that was laid by, others may have come late."""
        yield from zip(self._times, self._sizes, strict=True)
        for second, lines in self.recent.items():
            yield second, len(lines)

    def items(self) -> Iterator[tuple[int, Sequence[int]]]:
        """The same with the lines."""
        at = 0
        for second, size in zip(self._times, self._sizes, strict=True):
            yield second, self._lines[at:at + size]
            at += size
        yield from self.recent.items()

    def drop(self, seconds: Container[int]) -> int:
        """Forget these seconds. How many lines those were."""
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
        """Those of the time from `start` to `end` (seconds since the epoch)."""
        return {line for second, lines in self.items() if start <= second <= end for line in lines}


def _about(ordered: Sequence[int], dense: Set[int]) -> set[int]:
    """Which of these seconds lie close to one of the dense ones."""
    kept: set[int] = set()
    for way, seconds in ((1, ordered), (-1, reversed(ordered))):
        last: float = inf
        for second in seconds:
            last = second if second in dense else last
            if 0 <= (second - last) * way <= ABOUT:
                kept.add(second)
    return kept


def shed(crowds: Sequence[Crowd]) -> None:
    """Keep no more than may be kept of all servers together."""
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
