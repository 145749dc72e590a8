"""Where the clock of a capture was set back, at the items that come after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sipaudit.capture.health import CaptureHealth
from sipaudit.sip.datagram import Item
from sipaudit.sip.forms import Repeat

SLACK = 2.0   # seconds by which packets may come out of order; more is a clock that was set back


class ClockSet(NamedTuple):
    """From this frame on a capture's clock said `after`, where it had said `before`."""

    frame: int
    before: float
    after: float


class Clocks:
    """Steps come from the packets, not from the items: what waits for a lost segment comes late by right. `coming`
    are those of which no item has come yet, by capture."""

    __slots__ = ("_health", "_seen", "coming")

    def __init__(self, health: Sequence[CaptureHealth]) -> None:
        self._health = health
        self._seen = [0] * len(health)
        self.coming: dict[int, list[ClockSet]] = {}

    def look(self) -> None:
        """Another batch of items was read: which steps are in it, or were before it."""
        for capture, health in enumerate(self._health):
            for frame, time, seconds in health.clock_steps[self._seen[capture]:]:
                if seconds < -SLACK:
                    self.coming.setdefault(capture, []).append(ClockSet(frame, time - seconds, time))
            self._seen[capture] = len(health.clock_steps)

    def passed(self, item: Item | Repeat) -> list[ClockSet]:
        """The steps that lie before this item, and after the one before it of its capture."""
        steps = self.coming.pop(item.capture, [])
        later = [step for step in steps if step.frame > item.frame]
        if later:
            self.coming[item.capture] = later
        return [step for step in steps if step.frame <= item.frame]
