"""What is reported of: a period, and the runs of which rows lie in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Period:
    """From `start` to `end`, both in seconds since the epoch."""

    start: float = -1e18
    end: float = 1e18

    def touches(self, first: float, last: float) -> bool:
        """Whether any moment from `first` to `last` lies in it."""
        return first <= self.end and last >= self.start


@dataclass(frozen=True)
class Run:
    """A run as the store has it, with the first and the last time of its sayings."""

    number: int
    kind: str
    generator: str
    began: float
    said: float

    @property
    def is_analysis(self) -> bool:
        """Whether it was told as a whole, at its end."""
        return self.kind == "analysis"
