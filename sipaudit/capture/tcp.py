"""TCP for SIP: segments in, messages and connection evidence out.

Content decides, not ports: SIP, TLS and WebSocket are known by their first bytes, and everything else is forgotten
at once.  A stream joined in the middle is taken up at its next start line.  All that is kept is bounded, per stream
and in total.

A message behind a hole is handed out when the hole fills or is given up, with the time and frame of its own packets,
so times may step back by as long as a hole is waited for. Never later than what the other side says once it has
acknowledged the message: that may be because of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from math import inf

from sipaudit.capture.bounds import FOR_FILES
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.segments import MODULUS, STALE, Segment
from sipaudit.capture.starts import asks_for_file, read_request
from sipaudit.capture.tcp_calm import Calm
from sipaudit.capture.tcp_connections import Content, Half, Pair, Place
from sipaudit.capture.tcp_contents import Contents
from sipaudit.capture.tcp_lifecycle import ACK, FIN, RST, SYN, Lifecycle, is_other_connection
from sipaudit.capture.tcp_recognition import recognise
from sipaudit.capture.tcp_table import Table
from sipaudit.sip.datagram import Flow, Gap, Item
from sipaudit.sip.framing import MESSAGE_LIMIT, looks_like_sip

CONTROL = SYN | ACK | FIN | RST
_TURNS = (b"REGISTER ", b"INVITE ")


class Streams:
    """All TCP connections of the captures.

    `sip_ports` are the ports whose connections count as SIP before a message was seen: 5060, 5061, those where SIP
    was found, and what the caller adds.  `tls_ports` are the server ports on which a TLS hello was seen, SIP or not.
    `needs_tshark` counts the connections that only tshark can read: `tls` on SIP ports, `websocket`. `calm` takes
    segments in short.
    """

    def __init__(
        self, health: Sequence[CaptureHealth], *, max_streams: int = FOR_FILES.streams,
        max_bytes_per_stream: int = MESSAGE_LIMIT, max_bytes: int = FOR_FILES.stream_bytes,
    ) -> None:
        self._health = health
        self._max_streams = max_streams
        self._max_bytes_per_stream = max_bytes_per_stream
        self._max_bytes = max_bytes
        self.evicted = 0
        self._table = Table()
        self._contents = Contents(health, max_bytes_per_stream)
        self._lifecycle = Lifecycle(self._table)
        self.calm = Calm(self._table, self._contents, self._moved_on, max_bytes_per_stream, max_streams,
                         max_bytes)
        self.sip_ports: set[int] = self._contents.sip_ports
        self.tls_ports: set[int] = self._contents.tls_ports
        self.needs_tshark: Counter[str] = self._contents.needs_tshark

    def tighten(self, max_streams: int, max_bytes: int) -> None:
        """Other bounds from now on; bytes beyond them go with the next that come."""
        self._max_streams = self.calm.room = max_streams
        self._max_bytes = self.calm.most = max_bytes
        while len(self._table) > max_streams:
            self.evicted += 1
            self._table.forget(self._table.oldest())

    def __len__(self) -> int:
        """How many connections are followed."""
        return len(self._table)

    @property
    def held(self) -> int:
        """Bytes that unfinished messages and segments behind holes take."""
        return self._table.held

    @property
    def next_deadline(self) -> float:
        """The capture time at which `advance` may have something to do; inf when never."""
        return self._table.next_deadline

    def segment(
        self, time: float, capture: int, frame: int, flow: Flow, seq: int, ack: int, flags: int, payload: bytes,
        cut: bool,
    ) -> list[Item]:
        """Take one segment. `seq`, `ack`, `flags` as in its header; `cut`: the snap length took its end."""
        if flags & CONTROL == ACK and not cut:
            taken = self.calm.take(time, capture, frame, flow, seq, ack, payload)
            if taken is not None:
                return taken
        return self.not_calm(time, capture, frame, flow, seq, ack, flags, payload, cut)

    def not_calm(
        self, time: float, capture: int, frame: int, flow: Flow, seq: int, ack: int, flags: int, payload: bytes,
        cut: bool,
    ) -> list[Item]:
        """The same for a segment that `calm` would not take."""
        half = self._known(flow)
        if (
            half and flags & CONTROL == ACK and not cut and not half.pair.foreign
            and half.reassembly.take(seq, len(payload))
        ):
            self._table.use(half, flow, time)  # nearly all are such: the bytes that are wanted next, or none
            if ack != half.peer.acked or not half.pair.established:
                self._lifecycle.acknowledged(half.peer, ack)
            if not payload:
                return []
            heard = self._skip_read(half.peer) if half.peer.reassembly.waiting else []
            return heard + self._taken(half, time, capture, frame, payload)
        if flags & SYN:
            return self._syn(half, Place(0, 0, time, capture, frame), flow, seq, ack, flags, payload)
        if half is None:
            half = self._joined(time, capture, flow, flags, payload)
            if half is None:
                return _asked(payload, time, capture, frame, flow) if asks_for_file(payload) else []
        self._table.use(half, flow, time)
        if flags & RST:
            return self._lifecycle.reset(half, Place(0, 0, time, capture, frame), seq, ack, flags)
        if flags & ACK and (ack != half.peer.acked or not half.pair.established):
            self._lifecycle.acknowledged(half.peer, ack)
        items = self._skip_read(half.peer) if payload and half.peer.reassembly.waiting else []
        items += self._data(half, time, capture, frame, seq, payload, cut)
        if flags & FIN and (half := self._table.find(flow)):  # its bytes may have shown that it is none of ours
            items += self._lifecycle.fin(half, Place(0, 0, time, capture, frame))
        return items

    def _known(self, flow: Flow) -> Half | None:
        """The direction that this flow is, calm no longer if it was."""
        return self._table.find(flow) or self.calm.wake(flow)

    def advance(self, time: float) -> list[Item]:
        """Capture time has come to `time`: what is overdue is said, what is idle forgotten."""
        items: list[Item] = []
        for pair in self._table.due(time):
            items += self._lifecycle.overdue(pair, time)
            for half in (pair.first, pair.second):
                items += self._skip_holes(half, time)
            self._lifecycle.settle(pair, time)
        self._table.drop_idle(time)
        return items

    @property
    def followed(self) -> Collection[object]:
        """The connections that are followed."""
        return self._table.followed

    @property
    def opening(self) -> Mapping[str, object]:
        """The hosts that have a SYN without its answer; empty nearly always."""
        return self._table.opening

    def turned(self, flow: Flow, message: bytes, time: float) -> list[Item]:
        """A message by another transport: a host that begins something elsewhere has given up its unanswered SYNs."""
        if flow.source_host not in self._table.opening or not message.startswith(_TURNS):
            return []
        return self.moved_on(flow.source_host, flow.destination, time)

    def _moved_on(self, flow: Flow, time: float) -> list[Item]:
        """A message by TCP: its sender turns to where it goes."""
        return self.moved_on(flow.source_host, flow.destination, time)

    def moved_on(self, host: str, destination: str, time: float) -> list[Item]:
        """A host turns to `destination` (host:port): its unanswered SYNs to others have failed."""
        return self._lifecycle.moved_on(host, destination, time)

    def finish(self) -> list[Item]:
        """The captures have ended: what waits behind holes comes out. What was still open proves nothing."""
        items: list[Item] = []
        for half in self._table.holding():
            if isinstance(half, Half):
                items += self._skip_holes(half, inf)
        return sorted(items, key=lambda item: (item.time, item.frame))

    def _opened(self, time: float, capture: int, flow: Flow) -> Half:
        """Follow a new connection; when there are too many, the longest unused one is forgotten."""
        while len(self._table) >= self._max_streams:
            oldest = self._table.oldest()
            self.evicted += 1
            if oldest.sip:
                self._health[capture].undecoded["tcp-evicted"] += 1
            self._table.forget(oldest)
        return self._table.open(flow, time, self._contents.on_sip_port(flow))

    def _joined(self, time: float, capture: int, flow: Flow, flags: int, payload: bytes) -> Half | None:
        """Take up a connection whose beginning was not seen, if it may be SIP, or shows where TLS is spoken."""
        if flags & RST:
            return None
        if not self._contents.on_sip_port(flow):
            content = recognise(payload, False) if payload else None
            if content is None or content is Content.OTHER:
                return None
        half = self._opened(time, capture, flow)
        half.pair.established = True
        return half

    def _syn(
        self, half: Half | None, place: Place, flow: Flow, seq: int, ack: int, flags: int, payload: bytes
    ) -> list[Item]:
        items: list[Item] = []
        if half and is_other_connection(half, seq):
            items = self._replaced(half.pair, place.time)
            half = None
        half = half or self._opened(place.time, place.capture, flow)
        self._table.use(half, flow, place.time)
        items += self._lifecycle.syn(half, place, seq, ack, flags)
        first = (seq + 1) % MODULUS
        return items + self._data(half, place.time, place.capture, place.frame, first, payload, False)

    def _replaced(self, pair: Pair, time: float) -> list[Item]:
        """A new connection takes the ports of this one."""
        items = self._lifecycle.unanswered(pair, time)
        for half in (pair.first, pair.second):
            items += self._skip_holes(half, inf)
        self._table.forget(pair)
        return items

    def _data(
        self, half: Half, time: float, capture: int, frame: int, seq: int, payload: bytes, cut: bool
    ) -> list[Item]:
        """Bring the bytes of a segment into order and read what is in order."""
        if half.pair.foreign:
            if not looks_like_sip(payload):
                return []
            self._table.forget(half.pair)  # only a start line makes it ours again
            half = self._opened(time, capture, half.flow)
        reassembly = half.reassembly
        if not reassembly.started:
            reassembly.start(seq)
        if not cut and reassembly.take(seq, len(payload)):
            return self._taken(half, time, capture, frame, payload) if payload else []
        segment = Segment(reassembly.offset(seq), payload, time, capture, frame, cut)
        return self._after(half, self._out_of_order(half, segment, seq), time, capture, frame, payload)

    def _taken(self, half: Half, time: float, capture: int, frame: int, payload: bytes) -> list[Item]:
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
            return items + _asked(payload, time, capture, frame, half.flow) if asks_for_file(payload) else items
        if items and self._table.opening:
            items = [*self._moved_on(half.flow, time), *items]
        self._table.account(half)
        return items + self._within_memory(time, capture, frame) if self.held > self._max_bytes else items

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
            items += self._skip_holes(half, -inf)
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

    def _skip_holes(self, half: Half, time: float) -> list[Item]:
        """Give up the holes that cannot fill, are too expensive, or have been waited for until `time`."""
        reassembly = half.reassembly
        items: list[Item] = []
        while reassembly.waiting and (
            reassembly.hopeless or reassembly.waiting_bytes > self._max_bytes_per_stream
            or half.hole_deadline() <= time
        ):
            items += self._skip_hole(half)
        self._table.account(half)
        return items

    def _skip_read(self, half: Half) -> list[Item]:
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
            if self.held <= self._max_bytes * 0.9:
                break
            half = held if isinstance(held, Half) else self._known(held.flow)
            if half is None:
                continue
            half.forget_bytes()
            self._table.account(half)
            self._health[capture].undecoded["tcp-evicted"] += 1
            items.append(Gap(time, capture, frame, half.flow, 0))
        return items


def _asked(payload: bytes, time: float, capture: int, frame: int, flow: Flow) -> list[Item]:
    """What a segment of a foreign connection asks for, if that is a file of a start."""
    start = read_request(payload, time, capture, frame, flow.source_host, flow.source_mac)
    return [] if start is None else [start]
