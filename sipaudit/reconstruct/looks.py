"""When the members of a ring are to be looked at, of which most live on each time: thousands of subscriptions of which
nothing is heard for an hour are not to be walked one by one each minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf

from msgspec import Struct


class Look(Struct, gc=False):
    """So many members, one behind the other in the ring, are looked at when the clock shows `check`; before `safe` none
    of them can be over, unless that was doubted since (`era`)."""

    count: int
    check: float
    safe: float
    era: int


class Looks:
    """Looks in the order of the ring's members, each of which is in one of them. Who owns the ring tells of whatever
    becomes of its members, and turns it as it is told."""

    __slots__ = ("_era", "_looks")

    def __init__(self) -> None:
        self._looks: deque[Look] = deque()
        self._era = 0

    def begin(self, check: float) -> None:
        """A new member, at the end."""
        self._looks.append(Look(1, check, -inf, self._era))

    def add(self, check: float, count: int, safe: float) -> None:
        """Members that were looked at, at the end. With those before them they are looked at in one go the next time,
        where that may be so."""
        last = self._looks[-1] if self._looks else None
        if last is not None and last.check == check and last.era == self._era and (last.safe > check) == (safe > check):
            last.count += count
            last.safe = min(last.safe, safe)
        else:
            self._looks.append(Look(count, check, safe, self._era))

    def due(self, clock: float) -> Look | None:
        """The first look, if its time has come; its members are to be added again at the end, or gone."""
        looks = self._looks
        while looks and (looks[0].check <= clock or not looks[0].count):
            look = looks.popleft()
            if look.count:
                return look
        return None

    def is_idle(self, look: Look, clock: float) -> bool:
        """Whether all of its members surely live on."""
        return look.safe > clock and look.era == self._era

    def doubt(self) -> None:
        """A member may be over sooner than it was said."""
        self._era += 1

    def turned(self) -> None:
        """The first member has gone to the end, to be looked at when it would have been."""
        first = self._first()
        first.count -= 1
        self._looks.append(Look(1, first.check, -inf, self._era))

    def gone(self) -> None:
        """The first member is no more."""
        self._first().count -= 1

    def keep(self, kept: Iterable[bool]) -> None:
        """Of all members, in their order, only these stay."""
        stay = iter(kept)
        for look in self._looks:
            look.count = sum(next(stay) for _ in range(look.count))

    def _first(self) -> Look:
        while not self._looks[0].count:
            self._looks.popleft()
        return self._looks[0]
