"""Counts, by line, how often rules were reached, and how often they could not be decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import inf
from typing import Protocol

from sipaudit.model.values import Reason

LineOfPhone = tuple[str, str]
"""Line and phone, the key for findings and checks: several phones may register the same AOR."""


class Party(Protocol):
    """The line and phone that a rule is checked on."""

    @property
    def line(self) -> str: ...
    @property
    def phone(self) -> str: ...
    @property
    def entry(self) -> str | None: ...


def line_of_phone(party: Party) -> LineOfPhone:
    """The key for all findings and checks of a party."""
    return party.line, party.phone


class Checks:
    """The checks of one line: `reached` by rule, and `open` (not decided) by rule and reason; `last`: the time of the
    last check, or of the last copy (`Faults.held`) to which the line may still be taken back."""

    __slots__ = ("last", "open", "reached")

    def __init__(self) -> None:
        self.last = -inf
        self.reached: Counter[str] = Counter()
        self.open: Counter[tuple[str, Reason]] = Counter()

    def add(self, others: Checks) -> None:
        """Add the checks of another line."""
        self.reached.update(others.reached)
        self.open.update(others.open)


class ChecksOfLines(dict[LineOfPhone, Checks]):
    """The checks of at most `limit` lines. Those of other lines, and old ones, are summed up in `gone`."""

    def __init__(self) -> None:
        super().__init__()
        self.limit = inf
        self.gone = Checks()

    def of(self, whose: LineOfPhone) -> Checks:
        """The checks of a line at a phone; if there are too many lines, the oldest is moved to `gone`."""
        checks = self.get(whose)
        if checks is None:
            if len(self) >= self.limit:
                self._forget_oldest()
            checks = self[whose] = Checks()
        return checks

    def totals(self) -> Checks:
        """The checks of all lines, including those in `gone`."""
        total = Checks()
        for checks in (self.gone, *self.values()):
            total.add(checks)
        return total

    def sum_up(self, before: float) -> None:
        """Move the checks of lines without any check since then (seconds since the epoch) to `gone`; only open checks
        stay by line.
        """
        for whose, checks in list(self.items()):
            if checks.last < before:
                if checks.open:
                    self.gone.reached.update(checks.reached)
                    checks.reached.clear()
                else:
                    self.gone.add(self.pop(whose))

    def tighten(self, limit: float) -> None:
        """Set another bound."""
        self.limit = limit
        while len(self) > limit:
            self._forget_oldest()

    def release(self, whose: Iterable[LineOfPhone]) -> None:
        """Move the checks of these forgotten lines to `gone`."""
        for each in whose:
            checks = self.pop(each, None)
            if checks is not None:
                self.gone.add(checks)

    def _forget_oldest(self) -> None:
        self.gone.add(self.pop(next(iter(self))))
