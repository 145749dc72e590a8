"""The capture being written: packets in the order of their times, in whatever order they were made."""

from __future__ import annotations

from bisect import bisect_left

from sipaudit.capture.write import PcapWriter

SLACK = 0.000_001


class Sink:
    """Holds the packets of the current moment and later; `flush` writes those that no later packet can precede.

    Memory grows with the traffic at one moment, not with the length of the plan.
    """

    def __init__(self, writer: PcapWriter, start: float) -> None:
        self.packets = 0
        self._writer = writer
        self._start = start
        self._waiting: list[tuple[float, int, bytes]] = []

    def add(self, time: float, frame: bytes) -> None:
        """Add a frame at `time` (seconds after the start), which is not before the last `flush`."""
        self.packets += 1
        self._waiting.append((time, self.packets, frame))

    def flush(self, until: float) -> None:
        """Write the packets before `until`."""
        waiting = self._waiting
        waiting.sort()
        count = bisect_left(waiting, (until - SLACK, 0, b""))
        write, start = self._writer.write, self._start
        for time, _, frame in waiting[:count]:
            write(start + time, frame)
        del waiting[:count]
