"""Runs, as rows of the store describe them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """A run in the store; `began` and `said` are the first and the last time of its sayings (seconds since the epoch,
    packet time)."""

    number: int
    kind: str
    generator: str
    began: float
    said: float

    @property
    def is_analysis(self) -> bool:
        """Whether it is an analysis, which is written as a whole at its end."""
        return self.kind == "analysis"
