"""Orders the bytes of TCP connections and has them read, within bounds per stream and in total.

A message behind a hole is released when the hole is filled or given up, with the time and frame of its own packets, so
times may step back by as long as a hole is waited for. It is never released after something that the other side sends
once it has acknowledged the message, since that may be a reaction to it.
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
    """Orders the bytes of the connections of a table. Waiting segments may take MESSAGE_LIMIT bytes in one stream, and
    `most` in all streams together.

    `moved_on` is called with flow and time of messages read while SYNs are unanswered; `known` looks up the direction
    of a flow.
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
        """Add the bytes of a segment, and read those that are in order."""
        reassembly = half.reassembly
        if not reassembly.started:
            reassembly.start(seq)
        if not cut and reassembly.take(seq, len(payload)):
            return self.taken(half, time, capture, frame, payload) if payload else []
        segment = Segment(reassembly.offset(seq), payload, time, capture, frame, cut)
        return self._after(half, self._out_of_order(half, segment, seq), time, capture, frame, payload)

    def taken(self, half: Half, time: float, capture: int, frame: int, payload: bytes) -> list[Item]:
        """Read a payload that was expected next, after `reassembly` has moved behind it."""
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
        """The items of a segment that was read, with those that follow from it; enforces the bounds of memory."""
        if half.pair.foreign:
            self._leave(half)
            return items + asked_for(payload, time, capture, frame, half.flow) if asks_for_file(payload) else items
        if items and self._table.opening:
            items = [*self._moved_on(half.flow, time), *items]
        self._table.account(half)
        return items + self._within_memory(time, capture, frame) if self._table.held > self.most else items

    def _out_of_order(self, half: Half, segment: Segment, seq: int) -> list[Item]:
        """Process a segment that is old, early, cut, or comes while others wait."""
        reassembly = half.reassembly
        if not segment.payload and not segment.cut and half.fin:  # a FIN takes a sequence number
            return []
        if segment.end < reassembly.position - STALE and looks_like_sip(segment.payload):
            half.forget_bytes()  # the ports are reused, and the SYN was not captured
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
        """The connection is foreign: forget it; on a SIP port keep it as foreign, so that it yields nothing more."""
        if not self._contents.on_sip_port(half.flow):
            self._table.forget(half.pair)
            return
        for each in (half, half.peer):
            each.forget_bytes()
            self._table.account(each)

    def skip_holes(self, half: Half, time: float) -> list[Item]:
        """Give up holes that cannot be filled, hold back too many bytes, or whose deadline is `time` or earlier."""
        reassembly = half.reassembly
        items: list[Item] = []
        while reassembly.waiting and (
            reassembly.hopeless or reassembly.waiting_bytes > MESSAGE_LIMIT or half.hole_deadline() <= time
        ):
            items += self._skip_hole(half)
        self._table.account(half)
        return items

    def skip_read(self, half: Half) -> list[Item]:
        """To be called when the other side sends: it has read what it acknowledged, so segments waiting behind a hole
        are released if they are acknowledged."""
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
            known = missing if missing <= STALE else 0  # more is probably a renumbering, not a loss
            items.append(Gap(first.time, first.capture, first.frame, half.flow, known))
        self._contents.lost(half, missing)
        return items + self._deliver(half, half.reassembly.skip_hole())

    def _within_memory(self, time: float, capture: int, frame: int) -> list[Item]:
        """Drop the bytes of the directions that have held them for longest, a little more than needed."""
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
    """The request in a segment of a foreign connection, if it is for a file that phones fetch at a start."""
    start = read_request(payload, time, capture, frame, flow.source_host, flow.source_mac)
    return [] if start is None else [start]
