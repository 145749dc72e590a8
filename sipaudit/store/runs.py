"""Runs, as the store knows them."""

from __future__ import annotations

from dataclasses import dataclass


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
