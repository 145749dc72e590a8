"""A packet as it comes from a file, before anything of it is understood; alone, and in batches."""

from __future__ import annotations

from struct import iter_unpack
from typing import NamedTuple

Packet = tuple[float, int, int, bytes, int]
"""`(time, frame, link_type, data, wire_length)`.

`time` seconds since the epoch, microsecond resolution (finer is cut); `frame` Wireshark's number, from 1;
`link_type` the LINKTYPE of capture files (`linktypes.py`); `data` the captured bytes; `wire_length` the length
before the snap length cut it, 0 where the reader does not know.  A plain tuple, because millions are made.
"""

ROW = "=IIII"
ROW_SIZE = 16


class Batch(NamedTuple):
    """Packets that lie one behind the other in `buffer`.

    `rows` has four native 32-bit numbers for each: seconds, microseconds, offset in `buffer` and captured length.
    `first_frame` numbers the first of them, all are of one link type.
    """

    buffer: bytes
    rows: bytes
    link_type: int
    first_frame: int

    @property
    def length(self) -> int:
        """How many packets."""
        return len(self.rows) // ROW_SIZE

    def packets(self) -> list[Packet]:
        """All packets of the batch."""
        buffer, link_type = self.buffer, self.link_type
        return [
            (seconds + microseconds / 1_000_000, frame, link_type, buffer[offset : offset + length], 0)
            for frame, (seconds, microseconds, offset, length) in enumerate(
                iter_unpack(ROW, self.rows), self.first_frame
            )
        ]
