"""When the members of a ring are to be checked, most of which live on each time.

Thousands of subscriptions of which nothing is heard for an hour need not be walked one by one each minute: members with
the same time of their next check are one round, which is looked at as a whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf

from msgspec import Struct


class Round(Struct, gc=False):
    """So many members, one behind the other in the ring, are checked when the clock shows `check`; before `safe` none
    of them can be over, unless that was doubted since (`era`)."""

    count: int
    check: float
    safe: float
    era: int


class Rounds:
    """The rounds in the order of the ring's members, each of which is in one of them. The ring's owner reports what
    becomes of its members, and turns the ring as it is told."""

    __slots__ = ("_era", "_rounds")

    def __init__(self) -> None:
        self._rounds: deque[Round] = deque()
        self._era = 0

    def begin(self, check: float) -> None:
        """A new member, at the end."""
        self._rounds.append(Round(1, check, -inf, self._era))

    def add(self, check: float, count: int, safe: float) -> None:
        """Members that were checked, at the end. Next time they are checked in one round with those before them, where
        that may be so."""
        last = self._rounds[-1] if self._rounds else None
        if last is not None and last.check == check and last.era == self._era and (last.safe > check) == (safe > check):
            last.count += count
            last.safe = min(last.safe, safe)
        else:
            self._rounds.append(Round(count, check, safe, self._era))

    def due(self, clock: float) -> Round | None:
        """The first round, if its time has come; its members are to be added again at the end, or gone."""
        rounds = self._rounds
        while rounds and (rounds[0].check <= clock or not rounds[0].count):
            first = rounds.popleft()
            if first.count:
                return first
        return None

    def is_idle(self, due: Round, clock: float) -> bool:
        """Whether all of its members surely live on."""
        return due.safe > clock and due.era == self._era

    def doubt(self) -> None:
        """A member may be over sooner than it was said."""
        self._era += 1

    def turned(self) -> None:
        """The first member has gone to the end, to be checked when it would have been."""
        first = self._first()
        first.count -= 1
        self._rounds.append(Round(1, first.check, -inf, self._era))

    def gone(self) -> None:
        """The first member is no more."""
        self._first().count -= 1

    def keep(self, kept: Iterable[bool]) -> None:
        """Of all members, in their order, only these stay."""
        stay = iter(kept)
        for one in self._rounds:
            one.count = sum(next(stay) for _ in range(one.count))

    def _first(self) -> Round:
        while not self._rounds[0].count:
            self._rounds.popleft()
        return self._rounds[0]
