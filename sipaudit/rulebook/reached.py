"""What was checked of each line: how often rules were reached, and how often they could not be decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import inf
from typing import Protocol

from sipaudit.model.values import Reason

LineOfPhone = tuple[str, str]
"""Line and phone, by which what is said is put down: one AOR may be registered by several phones."""


class Party(Protocol):
    """Whose rule was broken."""

    @property
    def line(self) -> str: ...
    @property
    def phone(self) -> str: ...
    @property
    def entry(self) -> str | None: ...


def line_of_phone(party: Party) -> LineOfPhone:
    """What is said of it is put down under this."""
    return party.line, party.phone


class Checks:
    """What was checked of one line: `reached` by rule, and `open` (not decided) by rule and reason; `last` when that
    happened which was checked last, or something was said of the line that may still be taken back."""

    __slots__ = ("last", "open", "reached")

    def __init__(self) -> None:
        self.last = -inf
        self.reached: Counter[str] = Counter()
        self.open: Counter[tuple[str, Reason]] = Counter()

    def add(self, others: Checks) -> None:
        """What was checked of another line as well."""
        self.reached.update(others.reached)
        self.open.update(others.open)


class ChecksOfLines(dict[LineOfPhone, Checks]):
    """Those of the lines that are kept, no more than `limit` of them. What was checked of others, or long ago, is
    summed up in `gone`."""

    def __init__(self) -> None:
        super().__init__()
        self.limit = inf
        self.gone = Checks()

    def of(self, whose: LineOfPhone) -> Checks:
        """What was checked of a line at a phone; where too many are kept, the oldest are only summed up."""
        checks = self.get(whose)
        if checks is None:
            if len(self) >= self.limit:
                self._forget_oldest()
            checks = self[whose] = Checks()
        return checks

    def totals(self) -> Checks:
        """What was checked of all lines, those that are kept no longer included."""
        total = Checks()
        for checks in (self.gone, *self.values()):
            total.add(checks)
        return total

    def sum_up(self, before: float) -> None:
        """Of lines of which nothing was checked since then (seconds since the epoch) only what is open is told by line.
        """
        for whose, checks in list(self.items()):
            if checks.last < before:
                if checks.open:
                    self.gone.reached.update(checks.reached)
                    checks.reached.clear()
                else:
                    self.gone.add(self.pop(whose))

    def tighten(self, limit: float) -> None:
        """Another bound from now on."""
        self.limit = limit
        while len(self) > limit:
            self._forget_oldest()

    def release(self, whose: Iterable[LineOfPhone]) -> None:
        """These lines were forgotten."""
        for each in whose:
            checks = self.pop(each, None)
            if checks is not None:
                self.gone.add(checks)

    def _forget_oldest(self) -> None:
        self.gone.add(self.pop(next(iter(self))))
