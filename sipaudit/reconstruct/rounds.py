"""When the members of a ring, most of which survive each check, are to be checked.

Thousands of subscriptions that are silent for an hour need not be walked one by one each minute: members with the same
time of their next check form one round, which is checked as a whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf

from msgspec import Struct


class Round(Struct, gc=False):
    """`count` consecutive members of the ring, to be checked when the clock reaches `check`; before `safe` none of them
    can have expired, unless that was doubted since (`era`)."""

    count: int
    check: float
    safe: float
    era: int


class Rounds:
    """The rounds in the order of the ring's members, each of which is in one of them. The ring's owner reports all
    changes of its members, and rotates the ring according to `due`."""

    __slots__ = ("_era", "_rounds")

    def __init__(self) -> None:
        self._rounds: deque[Round] = deque()
        self._era = 0

    def begin(self, check: float) -> None:
        """Add a new member at the end."""
        self._rounds.append(Round(1, check, -inf, self._era))

    def add(self, check: float, count: int, safe: float) -> None:
        """Add checked members at the end, to the last round if both have the same check time, era and safety."""
        last = self._rounds[-1] if self._rounds else None
        if last is not None and last.check == check and last.era == self._era and (last.safe > check) == (safe > check):
            last.count += count
            last.safe = min(last.safe, safe)
        else:
            self._rounds.append(Round(count, check, safe, self._era))

    def due(self, clock: float) -> Round | None:
        """The first round, if its time has come; its members are then added again at the end, or dropped."""
        rounds = self._rounds
        while rounds and (rounds[0].check <= clock or not rounds[0].count):
            first = rounds.popleft()
            if first.count:
                return first
        return None

    def is_idle(self, due: Round, clock: float) -> bool:
        """Whether none of its members can have expired."""
        return due.safe > clock and due.era == self._era

    def doubt(self) -> None:
        """A member may expire sooner than was reported."""
        self._era += 1

    def turned(self) -> None:
        """The first member was moved to the end; its check time stays."""
        first = self._first()
        first.count -= 1
        self._rounds.append(Round(1, first.check, -inf, self._era))

    def gone(self) -> None:
        """The first member was dropped."""
        self._first().count -= 1

    def keep(self, kept: Iterable[bool]) -> None:
        """Of all members, in their order, keep those marked True."""
        stay = iter(kept)
        for one in self._rounds:
            one.count = sum(next(stay) for _ in range(one.count))

    def _first(self) -> Round:
        while not self._rounds[0].count:
            self._rounds.popleft()
        return self._rounds[0]
