"""Sorts packets that are slightly out of order in a file by their times.

A card with several receive queues, or a program that captures at several interfaces, writes packets as each queue or
interface delivers them: a response may precede its request in the file, and both would then be taken for lost. File
order is used until the first packet is out of order, so that nearly every capture is read as it is, at no cost.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from math import inf
from operator import itemgetter

from sipaudit.capture.intake import STEP_BACK, Intake
from sipaudit.capture.packet import Packet, Run

LATE = STEP_BACK   # seconds: how much earlier than a packet before it in the file a packet may be
PACKETS_HELD = 65_536      # packets held back for sorting, at most

_TIME = itemgetter(0)


def in_time(intake: Intake, runs: Iterable[Run]) -> Iterator[Run]:
    """The runs of an intake; from the first run that is out of order on, packets are sorted by time. Where a time is
    more than LATE earlier than one before it, a clock was set back, and file order is kept."""
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
    """Packets held back until no earlier one can follow."""

    def __init__(self) -> None:
        self._held: list[Packet] = []
        self._newest = -inf

    def take(self, run: Run) -> list[Packet]:
        """Add a run, and release, sorted, the packets before which no other can come any more."""
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
        """Release all packets, sorted; whatever comes later stays behind them."""
        held, self._held, self._newest = sorted(self._held, key=_TIME), [], -inf
        return held


def _runs(packets: Sequence[Packet]) -> Iterator[Run]:
    for (link_type, wire_length), group in groupby(packets, key=itemgetter(2, 4)):
        times, frames, _, data, _ = zip(*group, strict=True)
        lengths = list(map(len, data))
        offsets = list(accumulate(lengths[:-1], initial=0))
        yield Run(b"".join(data), link_type, list(times), frames, offsets, lengths, wire_length)
