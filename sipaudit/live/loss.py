"""The share of packets that the sources lost recently.

Losses of a week ago say nothing about today, and losses of today must count
even after a week without any: the share is computed over the last minute and
over the last ten, and the larger one is used (reference-model.md 4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sipaudit.capture.health import CaptureHealth
from sipaudit.model.captures import lost_share
from sipaudit.reconstruct.traffic import Traffic

SPANS = (60.0, 600.0)   # seconds
EVERY = 5.0             # seconds between two marks


class Mark(NamedTuple):
    """The counts of all sources together, up to `time`."""

    time: float
    packets: int
    drops: int
    messages: int
    halves: int


class RecentLoss:
    """Gets the counts now and then (`mark`); `share` is the share of packets lost recently."""

    def __init__(self) -> None:
        self._marks: deque[Mark] = deque()
        self.share = 0.0

    @property
    def begun(self) -> bool:
        """Whether there are earlier counts to compare with."""
        return bool(self._marks)

    def mark(self, now: float, healths: Iterable[CaptureHealth], traffic: Mapping[int, Traffic]) -> None:
        """Note the counts at `now`, which is packet time in seconds: hours of files may be read in one second. If `now`
        goes back, the clock was set, and later counts are compared with the last ones before that."""
        if self._marks and now < self._marks[-1].time:
            self._marks = deque([self._marks[-1]._replace(time=now)])
        elif self._marks and now - self._marks[-1].time < EVERY:
            return
        seen = list(healths)
        counted = Mark(
            now, sum(one.packets for one in seen), sum((one.kernel_drops or 0) + one.interface_drops for one in seen),
            sum(one.sip_messages for one in traffic.values()), sum(one.missing_halves for one in traffic.values()))
        self._marks.append(counted)
        while len(self._marks) > 1 and now - self._marks[1].time >= max(SPANS):
            self._marks.popleft()
        self.share = max(self._over(span, counted) for span in SPANS)

    def _over(self, span: float, now: Mark) -> float:
        """The share lost over at least the whole span: since the latest mark before it, or else the first mark."""
        since = next((mark for mark in reversed(self._marks) if now.time - mark.time >= span), self._marks[0])
        return lost_share(now.packets - since.packets, now.messages - since.messages, now.drops - since.drops,
                          now.halves - since.halves)
