"""Reassembles IP fragments, IPv4 and IPv6, within bounds.

Overlaps: in IPv4 the bytes received first are kept, and later fragments only fill holes; conflicting copies cannot
overwrite earlier data.  In IPv6 a fragment that overlaps without being an exact repeat discards the datagram, as the
receiver must do (RFC 8200 4.5).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sipaudit.capture.bounds import FOR_FILES, CaptureBounds
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.ip import Fragment, IpPacket

LIFETIME = 30.0  # seconds of capture time; receivers wait 15 to 60 (RFC 791 3.2, RFC 8200 4.5)
PIECES = 256  # fragments of one datagram at most; 64 KiB at the smallest real MTU (576) make 118
DATAGRAM_END = 65_535

Key = tuple[int, bytes, bytes, bytes]


@dataclass
class _Pending:
    """An incomplete datagram. `spans` are (start, end, bytes) in order, without overlap; there are fewer bytes than the
    span is long if the snap length cut the fragment.  `dead`: kept only so that further fragments are dropped too."""

    time: float
    capture: int
    protocol: int
    frames: list[int] = field(default_factory=list)
    spans: list[tuple[int, int, bytes]] = field(default_factory=list)
    end: int | None = None
    covered: int = 0
    size: int = 0
    dead: bool = False


class Fragments:
    """Datagrams waiting for fragments. Those that are never completed are counted as `fragment-expired`; those evicted
    for lack of room, the oldest first, as `fragment-bounds`."""

    def __init__(self, health: Sequence[CaptureHealth], bounds: CaptureBounds = FOR_FILES) -> None:
        self._health = health
        self.bounds = bounds
        self._pending: OrderedDict[Key, _Pending] = OrderedDict()
        self._size = 0

    def add(
        self, time: float, capture: int, frames: tuple[int, ...], packet: IpPacket, fragment: Fragment
    ) -> tuple[IpPacket, tuple[int, ...]] | None:
        """The datagram and all its frames when `packet` completes it, else None."""
        self._expire(time)
        key = (capture, packet.source, packet.destination, fragment.identification)
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = _Pending(time, capture, packet.protocol)
        if pending.dead:
            return None
        if why := self._insert(pending, frames, packet, fragment):
            self._kill(pending, why)
        self._bound()
        if pending.dead or pending.covered != pending.end:
            return None
        self._forget(key)
        return _assembled(pending, packet), tuple(pending.frames)

    def finish(self) -> None:
        """To be called when the captures have ended: count the datagrams that are still incomplete."""
        while self._pending:
            self._drop_oldest("fragment-expired")

    def _insert(
        self, pending: _Pending, frames: tuple[int, ...], packet: IpPacket, fragment: Fragment
    ) -> str | None:
        """Add one fragment; returns the reason if the whole datagram must be given up because of it."""
        start, end = fragment.start, fragment.end
        if start == end or end > DATAGRAM_END or (fragment.more and (end - start) % 8):
            return "fragment-malformed"  # RFC 791 2.3, RFC 8200 4.5
        if not fragment.more:
            if pending.end not in (None, end):
                return "fragment-overlap"
            pending.end = end
        if pending.end is not None and (end > pending.end or (pending.spans and pending.spans[-1][1] > pending.end)):
            return "fragment-overlap"
        if len(pending.frames) >= PIECES:
            return "fragment-bounds"
        if start == 0:
            pending.protocol = packet.protocol
        pending.frames.extend(frames)
        return self._fill(pending, start, end, packet.payload, len(packet.source) == 16)

    def _fill(self, pending: _Pending, start: int, end: int, data: bytes, strict: bool) -> str | None:
        holes = list(_holes(pending.spans, start, end))
        free = sum(right - left for left, right in holes)
        if strict and 0 < free < end - start:
            return "fragment-overlap"
        if strict and not free and not any(span[:2] == (start, end) for span in pending.spans):
            return "fragment-overlap"
        for left, right in holes:
            piece = data[left - start : right - start]
            pending.spans.append((left, right, piece))
            pending.size += len(piece)
            self._size += len(piece)
        pending.covered += free
        if holes:
            pending.spans.sort(key=_span_start)
        return None

    def _kill(self, pending: _Pending, why: str) -> None:
        self._health[pending.capture].undecoded[why] += 1
        self._size -= pending.size
        pending.dead, pending.size, pending.spans = True, 0, []

    def _expire(self, time: float) -> None:
        """Drop datagrams older than LIFETIME by the capture's clock, whichever way the clock may have jumped."""
        while self._pending:
            if abs(time - next(iter(self._pending.values())).time) <= LIFETIME:
                return
            self._drop_oldest("fragment-expired")

    def __len__(self) -> int:
        return len(self._pending)

    def _bound(self) -> None:
        while len(self._pending) > self.bounds.fragments or self._size > self.bounds.fragment_bytes:
            self._drop_oldest("fragment-bounds")

    def _drop_oldest(self, why: str) -> None:
        key, pending = next(iter(self._pending.items()))
        if not pending.dead:
            self._kill(pending, why)
        self._forget(key)

    def _forget(self, key: Key) -> None:
        self._size -= self._pending.pop(key).size


def _span_start(span: tuple[int, int, bytes]) -> int:
    return span[0]


def _holes(spans: list[tuple[int, int, bytes]], start: int, end: int) -> Iterator[tuple[int, int]]:
    """The parts of start..end that no span covers."""
    for left, right, _ in spans:
        if right <= start:
            continue
        if left >= end:
            break
        if start < left:
            yield start, left
        start = right
    if start < end:
        yield start, end


def _assembled(pending: _Pending, packet: IpPacket) -> IpPacket:
    """The whole datagram, up to the first byte that the snap length removed."""
    parts, cut = [], False
    for start, end, data in pending.spans:
        parts.append(data)
        if cut := len(data) < end - start:
            break
    return IpPacket(packet.source, packet.destination, pending.protocol, b"".join(parts), cut, None, b"")
