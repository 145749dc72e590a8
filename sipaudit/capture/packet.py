"""Packets as read from a file, before decoding: single, in batches and in runs."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

from msgspec import Struct

Packet = tuple[float, int, int, bytes, int]
"""`(time, frame, link_type, data, wire_length)`.

`time` seconds since the epoch, microsecond resolution (finer is cut); `frame` Wireshark's number, from 1;
`link_type` the LINKTYPE of capture files (`linktypes.py`); `data` the captured bytes; `wire_length` the length
before the snap length cut it, 0 where the reader does not know.
"""

ROW_SIZE = 16

Value = TypeVar("Value")


class Span(NamedTuple):
    """When some packets were captured: their number, the times of the `first` and the `last` one, the `earliest` and
    the `latest` time, and whether no packet is earlier than the one before it (`ordered`)."""

    packets: int
    first: float
    last: float
    earliest: float
    latest: float
    ordered: bool


NO_SPAN = Span(0, 0.0, 0.0, 0.0, 0.0, True)


class Run(Struct, frozen=True):
    """Packets of one link type in capture order, as columns: there are millions, and few are looked at twice.

    `times` and `frames` are as in `Packet`; a packet's data are `lengths` bytes of `buffer`, starting at its `offsets`.
    `wire_length` is the same for all of them.
    """

    buffer: bytes
    link_type: int
    times: list[float]
    frames: Sequence[int]
    offsets: Sequence[int]
    lengths: Sequence[int]
    wire_length: int = 0

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[Packet]:
        buffer, link_type, wire_length = self.buffer, self.link_type, self.wire_length
        for time, frame, at, length in zip(self.times, self.frames, self.offsets, self.lengths, strict=True):
            yield time, frame, link_type, buffer[at : at + length], wire_length

    def span(self) -> Span:
        """A summary of the times. The run must not be empty."""
        times = self.times
        ordered = sorted(times)
        return Span(len(times), times[0], times[-1], ordered[0], ordered[-1], ordered == times)

    def part(self, begin: int, end: int) -> Run:
        """The packets from one position to another."""
        return Run(
            self.buffer, self.link_type, self.times[begin:end], self.frames[begin:end], self.offsets[begin:end],
            self.lengths[begin:end], self.wire_length,
        )

    def chosen(self, positions: Sequence[int]) -> Run:
        """The packets at these positions."""
        return Run(
            self.buffer, self.link_type, _at(self.times, positions), _at(self.frames, positions),
            _at(self.offsets, positions), _at(self.lengths, positions), self.wire_length,
        )


def _at(column: Sequence[Value], positions: Sequence[int]) -> list[Value]:
    return [column[position] for position in positions]


class Batch(NamedTuple):
    """Packets of one link type that lie one behind the other in `buffer`.

    `rows` has four native 32-bit numbers per packet: seconds, microseconds, offset in `buffer` and captured length.
    `first_frame` is the frame number of the first packet.
    """

    buffer: bytes
    rows: bytes
    link_type: int
    first_frame: int

    @property
    def length(self) -> int:
        """How many packets."""
        return len(self.rows) // ROW_SIZE

    def run(self) -> Run:
        """All packets of the batch, in columns."""
        rows = array("I", self.rows)
        seconds, microseconds = rows[::4], rows[1::4]
        times = [whole + part / 1_000_000 for whole, part in zip(seconds, microseconds, strict=True)]
        frames = range(self.first_frame, self.first_frame + len(times))
        return Run(self.buffer, self.link_type, times, frames, rows[2::4], rows[3::4])

    def behind(self, frame: int) -> Batch:
        """The packets after that frame number; perhaps none."""
        skipped = max(0, frame + 1 - self.first_frame)
        return self._replace(rows=self.rows[skipped * ROW_SIZE :], first_frame=self.first_frame + skipped)

    def packets(self) -> list[Packet]:
        """All packets of the batch, one by one."""
        return list(self.run())


class Sifted(NamedTuple):
    """What remains of a batch: `packets`. `rtp` and other `udp` count the packets dropped; `span` is that of all."""

    packets: Run
    rtp: int
    udp: int
    span: Span
