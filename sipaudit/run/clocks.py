"""Where a capture's clock was set back, reported with the first item after that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sipaudit.capture.health import CaptureHealth
from sipaudit.sip.datagram import Item
from sipaudit.sip.forms import Repeat

SLACK = 2.0   # seconds by which packets may be out of order; more means a clock that was set back


class ClockSet(NamedTuple):
    """From this frame on the capture's clock showed `after`, where it had shown `before` until then."""

    frame: int
    before: float
    after: float


class Clocks:
    """Steps are found in packets, not in items: an item that waited for a lost segment is legitimately late. `coming`
    are, by capture, the steps after which no item has come yet."""

    __slots__ = ("_health", "_seen", "coming")

    def __init__(self, health: Sequence[CaptureHealth]) -> None:
        self._health = health
        self._seen = [0] * len(health)
        self.coming: dict[int, list[ClockSet]] = {}

    def look(self) -> None:
        """Another batch of items was read: collect the steps in it, or before it."""
        for capture, health in enumerate(self._health):
            for frame, time, seconds in health.clock_steps[self._seen[capture]:]:
                if seconds < -SLACK:
                    self.coming.setdefault(capture, []).append(ClockSet(frame, time - seconds, time))
            self._seen[capture] = len(health.clock_steps)

    def passed(self, item: Item | Repeat) -> list[ClockSet]:
        """The steps between the previous item of this capture and this item."""
        steps = self.coming.pop(item.capture, [])
        later = [step for step in steps if step.frame > item.frame]
        if later:
            self.coming[item.capture] = later
        return [step for step in steps if step.frame <= item.frame]
