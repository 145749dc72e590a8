"""How much the sources lacked of late.

What a probe lost a week ago says nothing of today, and what it loses now must
count though the week was whole: the share is taken over the last minute and
over the last ten, and the larger of the two is believed (reference-model.md 4).
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
    """What was counted until `time`, of all sources together."""

    time: float
    packets: int
    drops: int
    messages: int
    halves: int


class RecentLoss:
    """Told now and then what has been counted; `share` is what lacked of late."""

    def __init__(self) -> None:
        self._marks: deque[Mark] = deque()
        self.share = 0.0

    @property
    def begun(self) -> bool:
        """Whether anything is known with which later counts can be compared."""
        return bool(self._marks)

    def mark(self, now: float, healths: Iterable[CaptureHealth], traffic: Mapping[int, Traffic]) -> None:
        """`now` is the time of the packets, in seconds: files of hours may be read in one. Where it goes back, the
        clock was set, and what is counted from then on is compared with what was counted last."""
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
        """The whole span at least: since the latest mark before it, or the first."""
        since = next((mark for mark in reversed(self._marks) if now.time - mark.time >= span), self._marks[0])
        return lost_share(now.packets - since.packets, now.messages - since.messages, now.drops - since.drops,
                          now.halves - since.halves)
