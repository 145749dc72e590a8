"""Label values of metrics. Each is a time series that somebody has to store, so their number is bounded."""

from __future__ import annotations

from collections.abc import Mapping

from sipaudit.report.screen import shortened
from sipaudit.safe_text import safe_text

OTHER = "other"
LENGTH = 120  # characters of a value


def label(text: str) -> str:
    """Text from the wire as a label value: one printable line of bounded length."""
    return shortened(safe_text(text), LENGTH)


class Labels:
    """The first `limit` values of a label keep their names; all others share `other`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[str, str] = {}

    def name(self, value: str) -> str:
        known = self._known.get(value)
        if known is None:
            if len(self._known) >= self._limit:
                return OTHER
            known = self._known[value] = label(value)
        return known

    def fold(self, counts: Mapping[str, float]) -> dict[str, float]:
        """Counts by label value; those of values without a name of their own are added up under `other`."""
        folded: dict[str, float] = {}
        for value, count in counts.items():
            name = self.name(value)
            folded[name] = folded.get(name, 0) + count
        return folded
