"""Label values of metrics: every one of them is a time series that somebody stores, so there are never too many."""

from __future__ import annotations

from collections.abc import Mapping

from sipaudit.report.screen import shortened
from sipaudit.safe_text import safe_text

OTHER = "other"
LENGTH = 120  # characters of a value


def label(text: str) -> str:
    """What came from the wire as a label's value: on one line, printable, of bounded length."""
    return shortened(safe_text(text), LENGTH)


class Labels:
    """The first `limit` values of a label keep their name, all others share `other`."""

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
        """Counts by label value; what has no name of its own is added up under `other`."""
        folded: dict[str, float] = {}
        for value, count in counts.items():
            name = self.name(value)
            folded[name] = folded.get(name, 0) + count
        return folded
