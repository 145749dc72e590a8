"""Where the clock of a capture was set back, at the items that come after it."""

from __future__ import annotations

from collections.abc import Sequence

from sipaudit.capture.health import CaptureHealth
from sipaudit.sip.datagram import Item
from sipaudit.sip.forms import Repeat

SET_BACK = 2.0   # seconds by which packets may come out of order; more is a clock that was set back (docs/live.md)


class Clocks:
    """Steps come from the packets, not from the items: what waits for a lost segment comes late by right. `ahead` are
    those of which no item has come yet: capture, frame, and the times before and after it."""

    def __init__(self, health: Sequence[CaptureHealth]) -> None:
        self._health = health
        self._seen = [0] * len(health)
        self.ahead: list[tuple[int, int, float, float]] = []

    def look(self) -> None:
        """Another run of items was read: which steps are in it, or were before it."""
        for capture, health in enumerate(self._health):
            steps = health.clock_steps
            if len(steps) > self._seen[capture]:
                self.ahead += [(capture, frame, time - seconds, time)
                               for frame, time, seconds in steps[self._seen[capture]:] if seconds < -SET_BACK]
                self._seen[capture] = len(steps)

    def passed(self, item: Item | Repeat) -> list[tuple[float, float]]:
        """The steps that lie before this item, and after the one before it: the times before and after each."""
        passed = [step for step in self.ahead if step[0] == item.capture and step[1] <= item.frame]
        self.ahead = [step for step in self.ahead if step not in passed]
        return [(before, after) for _, _, before, after in passed]
