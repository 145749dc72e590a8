"""Reorders the segments of one direction of a TCP connection (RFC 9293 3.4).

Sequence numbers become stream offsets that never wrap.  Where segments overlap,
the bytes captured first win, as in most receivers.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import NamedTuple

WAITING_LIMIT = 256
STALE = 1 << 20  # bytes: a segment this far from its stream belongs to another connection
MODULUS = 1 << 32
HALF = 1 << 31


def ahead(seq: int, reference: int) -> int:
    """How far `seq` is ahead of `reference`, modulo the wrap of sequence numbers; negative if behind."""
    return (seq - reference + HALF) % MODULUS - HALF


class Segment(NamedTuple):
    """Captured bytes and their offset in the stream; `cut`: the snap length removed their end."""

    offset: int
    payload: bytes
    time: float
    capture: int
    frame: int
    cut: bool

    @property
    def end(self) -> int:
        """Offset behind the last byte."""
        return self.offset + len(self.payload)

    def part(self, begin: int, end: int) -> Segment:
        """The piece between two offsets; it is `cut` only if the segment is, and the piece is its last."""
        payload = self.payload[begin - self.offset : end - self.offset]
        return self._replace(offset=begin, payload=payload, cut=self.cut and end == self.end)


class Reassembly:
    """Returns segments in the order of their bytes.

    `position` is the offset of the next byte expected; `waiting` holds the segments behind a hole, sorted and without
    overlap, `waiting_bytes` their size.  Segments without payload reveal a hole too: a pure acknowledgement has the
    sequence number of the byte that its sender will send next (RFC 9293 3.4).
    """

    __slots__ = ("_next_seq", "_torn", "position", "started", "waiting", "waiting_bytes")

    def __init__(self) -> None:
        self.started = False
        self.position = 0
        self.waiting: list[Segment] = []
        self.waiting_bytes = 0
        self._next_seq = 0   # sequence number of `position`
        self._torn = False   # the byte at `position` was cut off by the snap length and will not come

    def start(self, seq: int) -> None:
        """Expect this sequence number next, and forget waiting segments."""
        self.started = True
        self._next_seq = seq
        self._torn = False
        self.waiting = []
        self.waiting_bytes = 0

    def abandon(self) -> None:
        """Forget waiting segments; the next segment restarts the stream."""
        self.start(0)
        self.started = False

    def offset(self, seq: int) -> int:
        """The stream offset of a sequence number."""
        return self.position + ahead(seq, self._next_seq)

    def take(self, seq: int, size: int) -> bool:
        """Whether a segment is exactly the next one expected, and none waits; if so, `position` moves behind it."""
        if seq != self._next_seq or self.waiting or not self.started:
            return False
        self.position += size  # `_advance`, without a call for each segment
        self._next_seq = (seq + size) % MODULUS
        self._torn = False
        return True

    def put(self, segment: Segment) -> list[Segment]:
        """Add a segment; returns all segments that are now in order, trimmed to new bytes."""
        if segment.offset == self.position and not self.waiting:
            self._pass(segment)
            return [segment]
        if not segment.payload and not segment.cut and self.waiting:
            return []
        if segment.end < self.position or (segment.end == self.position and not segment.cut):
            return []
        self._insert(segment.part(max(segment.offset, self.position), segment.end))
        return self._drain()

    @property
    def hole(self) -> int:
        """How many bytes are missing before the first waiting segment; 0 when none waits."""
        return self.waiting[0].offset - self.position if self.waiting else 0

    @property
    def hopeless(self) -> bool:
        """Whether the hole cannot be filled any more, or too many segments are waiting."""
        return bool(self.waiting) and (self._torn or len(self.waiting) > WAITING_LIMIT)

    def skip_hole(self) -> list[Segment]:
        """Give up the missing bytes; returns all segments that are now in order."""
        self._advance(self.hole)
        return self._drain()

    def _pass(self, segment: Segment) -> None:
        self._advance(len(segment.payload))
        self._torn = segment.cut

    def _advance(self, count: int) -> None:
        self.position += count
        self._next_seq = (self._next_seq + count) % MODULUS
        self._torn = False

    def _drain(self) -> list[Segment]:
        """Remove and return the waiting segments that are in order; empty ones are dropped, as they only marked a hole.
        """
        waiting, count = self.waiting, 0
        while count < len(waiting) and waiting[count].offset == self.position:
            self._pass(waiting[count])
            count += 1
        ready = [segment for segment in waiting[:count] if segment.payload or segment.cut]
        del waiting[:count]
        self.waiting_bytes -= sum(len(segment.payload) for segment in ready)
        return ready

    def _insert(self, segment: Segment) -> None:
        """Add to `waiting` the parts of a segment that no waiting segment covers."""
        kept: list[Segment] = []
        begin, end = segment.offset, segment.end
        for other in self.waiting[max(bisect_left(self.waiting, (begin,)) - 1, 0) :]:
            if other.offset >= end:
                break
            if begin < other.offset:
                kept.append(segment.part(begin, other.offset))
            begin = max(begin, other.end)
        if begin < end or not segment.payload:
            kept.append(segment.part(begin, end))
        for part in kept:
            insort(self.waiting, part)
        self.waiting_bytes += sum(len(part.payload) for part in kept)
