"""Packets that stand a little out of order in a file, put in the order of their times.

A card with several receive queues, and a program that captures at several interfaces, write what each of them brings
when it brings it: an answer may stand before its request, and both are then taken for lost. In the order of the file
as long as nothing is out of order, so that nearly every capture is read as it is, and costs nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from math import inf
from operator import itemgetter

from sipaudit.capture.intake import STEP_BACK, Intake
from sipaudit.capture.packet import Packet, Run

LATE = STEP_BACK   # seconds that a packet may stand behind a later one
PACKETS_HELD = 65_536      # packets that wait for such a one at most

_TIME = itemgetter(0)


def in_time(intake: Intake, runs: Iterable[Run]) -> Iterator[Run]:
    """The runs of an intake, from the first that is out of order on in the order of their packets' times. Where a time
    is earlier than one before by more than LATE, a clock was set back, and the order of the file is kept."""
    row: _Row | None = None
    for run in runs:
        if row is None and not intake.is_in_order:
            row = _Row()
        if row is None:
            yield run
        else:
            yield from _runs(row.take(run))
    if row is not None:
        yield from _runs(row.flush())


class _Row:
    """Packets that wait for those which may have to stand before them."""

    def __init__(self) -> None:
        self._held: list[Packet] = []
        self._newest = -inf

    def take(self, run: Run) -> list[Packet]:
        """Another run: the packets of which it is known now what stands before them."""
        known: list[Packet] = []
        for packet in run:
            if packet[0] < self._newest - LATE:
                known += self.flush()
            self._newest = max(self._newest, packet[0])
            self._held.append(packet)
        self._held.sort(key=_TIME)
        end = max(bisect_right(self._held, self._newest - LATE, key=_TIME), len(self._held) - PACKETS_HELD)
        known += self._held[:end]
        del self._held[:end]
        return known

    def flush(self) -> list[Packet]:
        """All of them; what comes is behind them."""
        held, self._held, self._newest = sorted(self._held, key=_TIME), [], -inf
        return held


def _runs(packets: Sequence[Packet]) -> Iterator[Run]:
    for (link_type, wire_length), group in groupby(packets, key=itemgetter(2, 4)):
        times, frames, _, data, _ = zip(*group, strict=True)
        lengths = list(map(len, data))
        offsets = list(accumulate(lengths[:-1], initial=0))
        yield Run(b"".join(data), link_type, list(times), frames, offsets, lengths, wire_length)
