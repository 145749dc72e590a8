"""The bytes of TCP connections put in order and read, within bounds: per stream and in total.

A message behind a hole is handed out when the hole fills or is given up, with the time and frame of its own packets,
so times may step back by as long as a hole is waited for. Never later than what the other side says once it has
acknowledged the message: that may be because of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.segments import STALE, Segment
from sipaudit.capture.starts import asks_for_file, read_request
from sipaudit.capture.tcp_connections import Half, Place
from sipaudit.capture.tcp_contents import Contents
from sipaudit.capture.tcp_table import Table
from sipaudit.sip.datagram import Flow, Gap, Item
from sipaudit.sip.framing import MESSAGE_LIMIT, looks_like_sip


class Order:
    """Of the connections of a table. What waits may take MESSAGE_LIMIT bytes in a stream, and `most` in all together.

    `moved_on` is told of flow and time of what is read while SYNs are unanswered; `known` gives the direction that a
    flow is.
    """

    def __init__(
        self, health: Sequence[CaptureHealth], table: Table, contents: Contents,
        moved_on: Callable[[Flow, float], list[Item]], known: Callable[[Flow], Half | None], most: int,
    ) -> None:
        self._health = health
        self._table = table
        self._contents = contents
        self._moved_on = moved_on
        self._known = known
        self.most = most

    def take(
        self, half: Half, time: float, capture: int, frame: int, seq: int, payload: bytes, cut: bool
    ) -> list[Item]:
        """Bring the bytes of a segment into order and read what is in order."""
        reassembly = half.reassembly
        if not reassembly.started:
            reassembly.start(seq)
        if not cut and reassembly.take(seq, len(payload)):
            return self.taken(half, time, capture, frame, payload) if payload else []
        segment = Segment(reassembly.offset(seq), payload, time, capture, frame, cut)
        return self._after(half, self._out_of_order(half, segment, seq), time, capture, frame, payload)

    def taken(self, half: Half, time: float, capture: int, frame: int, payload: bytes) -> list[Item]:
        """Read the bytes that were wanted next, and have just been passed."""
        half.last_data = time
        if half.framer and not half.held:
            message = self._contents.message(half, half.framer, payload, time, capture, frame)
            if message:
                return [*self._moved_on(half.flow, time), message] if self._table.opening else [message]
        end = half.reassembly.position
        items = self._contents.deliver(half, payload, Place(end - len(payload), end, time, capture, frame))
        return self._after(half, items, time, capture, frame, payload)

    def _after(
        self, half: Half, items: list[Item], time: float, capture: int, frame: int, payload: bytes
    ) -> list[Item]:
        """What a segment gave once it was read: the same with what follows from it, within the bounds of memory."""
        if half.pair.foreign:
            self._leave(half)
            return items + asked_for(payload, time, capture, frame, half.flow) if asks_for_file(payload) else items
        if items and self._table.opening:
            items = [*self._moved_on(half.flow, time), *items]
        self._table.account(half)
        return items + self._within_memory(time, capture, frame) if self._table.held > self.most else items

    def _out_of_order(self, half: Half, segment: Segment, seq: int) -> list[Item]:
        """A segment that is old, early, cut, or comes while others wait."""
        reassembly = half.reassembly
        if not segment.payload and not segment.cut and half.fin:  # a FIN takes a sequence number
            return []
        if segment.end < reassembly.position - STALE and looks_like_sip(segment.payload):
            half.forget_bytes()  # the ports are used again, and the SYN was not seen
            reassembly.start(seq)
            segment = segment._replace(offset=reassembly.position)
        if segment.payload and segment.end > reassembly.position:
            half.last_data = segment.time
        items = self._deliver(half, reassembly.put(segment))
        if reassembly.waiting:
            items += self.skip_holes(half, -inf)
            self._table.schedule(half.pair)
        return items

    def _deliver(self, half: Half, segments: list[Segment]) -> list[Item]:
        items: list[Item] = []
        for segment in segments:
            place = Place(segment.offset, segment.end, segment.time, segment.capture, segment.frame)
            items += self._contents.deliver(half, segment.payload, place, segment.cut)
        return items

    def _leave(self, half: Half) -> None:
        """The connection is none of ours: forget it, but on a SIP port remember that, so that it stays silent."""
        if not self._contents.on_sip_port(half.flow):
            self._table.forget(half.pair)
            return
        for each in (half, half.peer):
            each.forget_bytes()
            self._table.account(each)

    def skip_holes(self, half: Half, time: float) -> list[Item]:
        """Give up the holes that cannot fill, are too expensive, or have been waited for until `time`."""
        reassembly = half.reassembly
        items: list[Item] = []
        while reassembly.waiting and (
            reassembly.hopeless or reassembly.waiting_bytes > MESSAGE_LIMIT or half.hole_deadline() <= time
        ):
            items += self._skip_hole(half)
        self._table.account(half)
        return items

    def skip_read(self, half: Half) -> list[Item]:
        """The other side speaks, and has acknowledged what waits behind a hole: it has read that, before it spoke."""
        reassembly = half.reassembly
        items: list[Item] = []
        while reassembly.waiting and half.acked is not None \
                and reassembly.offset(half.acked) >= reassembly.waiting[0].end:
            items += self._skip_hole(half)
        self._table.account(half)
        return items

    def _skip_hole(self, half: Half) -> list[Item]:
        missing, first = half.reassembly.hole, half.reassembly.waiting[0]
        items: list[Item] = []
        if half.pair.sip:
            self._health[first.capture].tcp_gaps += 1
            known = missing if missing <= STALE else 0  # so much is rather another numbering than a loss
            items.append(Gap(first.time, first.capture, first.frame, half.flow, known))
        self._contents.lost(half, missing)
        return items + self._deliver(half, half.reassembly.skip_hole())

    def _within_memory(self, time: float, capture: int, frame: int) -> list[Item]:
        """Drop the bytes of those who have held them for longest, and a little more than needed."""
        items: list[Item] = []
        for held in self._table.holding():
            if self._table.held <= self.most * 0.9:
                break
            half = held if isinstance(held, Half) else self._known(held.flow)
            if half is None:
                continue
            half.forget_bytes()
            self._table.account(half)
            self._health[capture].undecoded["tcp-evicted"] += 1
            items.append(Gap(time, capture, frame, half.flow, 0))
        return items


def asked_for(payload: bytes, time: float, capture: int, frame: int, flow: Flow) -> list[Item]:
    """What a segment of a foreign connection asks for, if that is a file of a start."""
    start = read_request(payload, time, capture, frame, flow.source_host, flow.source_mac)
    return [] if start is None else [start]
