"""TCP for SIP: turns segments into messages and evidence about connections.

SIP, TLS and WebSocket are recognised by their first bytes, not by ports; everything else is forgotten at once.  A
stream joined in the middle is read from its next start line on.  All memory is bounded, per stream and in total.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import inf

from sipaudit.capture.bounds import FOR_FILES
from sipaudit.capture.dns_tcp import Lookups, is_lookup
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.segments import MODULUS
from sipaudit.capture.starts import asks_for_file
from sipaudit.capture.tcp_calm import Calm
from sipaudit.capture.tcp_connections import Content, Half, Pair, Place
from sipaudit.capture.tcp_contents import Contents
from sipaudit.capture.tcp_lifecycle import ACK, FIN, RST, SYN, Lifecycle, gives_up, is_other_connection, is_repeated
from sipaudit.capture.tcp_order import Order, asked_for
from sipaudit.capture.tcp_recognition import recognise
from sipaudit.capture.tcp_table import Table
from sipaudit.sip.datagram import Flow, Item
from sipaudit.sip.framing import looks_like_sip

CONTROL = SYN | ACK | FIN | RST
_TURNS = (b"REGISTER ", b"INVITE ")


class Streams:
    """All TCP connections of the captures.

    `sip_ports` are the ports whose connections count as SIP before a message was seen: 5060, 5061, those where SIP
    was found, and those that the caller adds. `calm` is the short road for segments.
    """

    __slots__ = ("_contents", "_health", "_lifecycle", "_lookups", "_max_streams", "_order", "_table", "calm",
                 "evicted", "sip_ports")

    def __init__(
        self, health: Sequence[CaptureHealth], *, max_streams: int = FOR_FILES.streams,
        max_bytes: int = FOR_FILES.stream_bytes,
    ) -> None:
        self._health = health
        self._max_streams = max_streams
        self.evicted = 0
        self._table = Table()
        self._lookups = Lookups()
        self._contents = Contents(health)
        self._lifecycle = Lifecycle(self._table)
        self.calm = Calm(self._table, self._contents, self._moved_on, max_streams, max_bytes)
        self._order = Order(health, self._table, self._contents, self._moved_on, self._known, max_bytes)
        self.sip_ports: set[int] = self._contents.sip_ports

    def tighten(self, max_streams: int, max_bytes: int) -> None:
        """Apply other bounds from now on; bytes beyond them are dropped when the next bytes arrive."""
        self._max_streams = self.calm.room = max_streams
        self._order.most = self.calm.most = max_bytes
        while len(self._table) > max_streams:
            self.evicted += 1
            self._table.forget(self._table.oldest())

    def __len__(self) -> int:
        """How many connections are followed."""
        return len(self._table)

    @property
    def held(self) -> int:
        """Bytes of memory taken by unfinished messages and segments behind holes."""
        return self._table.held

    def segment(
        self, time: float, capture: int, frame: int, flow: Flow, seq: int, ack: int, flags: int, payload: bytes,
        cut: bool,
    ) -> list[Item]:
        """Process one segment. `seq`, `ack`, `flags` as in its header; `cut`: the snap length removed its end."""
        if flags & CONTROL == ACK and not cut:
            taken = self.calm.take(time, capture, frame, flow, seq, ack, payload)
            if taken is not None:
                return taken
        return self.not_calm(time, capture, frame, flow, seq, ack, flags, payload, cut)

    def not_calm(
        self, time: float, capture: int, frame: int, flow: Flow, seq: int, ack: int, flags: int, payload: bytes,
        cut: bool,
    ) -> list[Item]:
        """The same for a segment that `calm` did not take."""
        if payload and not cut and is_lookup(flow):
            return [*self._lookups.read(time, capture, frame, flow, seq, payload),
                    *self._followed(time, capture, frame, flow, seq, ack, flags, payload, cut)]
        return self._followed(time, capture, frame, flow, seq, ack, flags, payload, cut)

    def _followed(
        self, time: float, capture: int, frame: int, flow: Flow, seq: int, ack: int, flags: int, payload: bytes,
        cut: bool,
    ) -> list[Item]:
        """Process a segment by the state of its connection: the items that it gives."""
        half = self._known(flow)
        if (
            half and flags & CONTROL == ACK and not cut and not half.pair.foreign
            and half.reassembly.take(seq, len(payload))
        ):
            self._table.use(half, flow, time)  # nearly all segments: with the bytes expected next, or none
            half.heard = time
            if ack != half.peer.acked or not half.pair.established:
                self._lifecycle.acknowledged(half.peer, ack)
            if not payload:
                return []
            heard = self._order.skip_read(half.peer) if half.peer.reassembly.waiting else []
            return heard + self._order.taken(half, time, capture, frame, payload)
        if flags & SYN:
            return self._syn(half, Place(0, 0, time, capture, frame), flow, seq, ack, flags, payload)
        if half is None:
            half = self._joined(time, capture, flow, flags, payload)
            if half is None:
                return asked_for(payload, time, capture, frame, flow) if asks_for_file(payload) else []
        self._table.use(half, flow, time)
        half.heard = time
        if flags & RST:
            return self._lifecycle.reset(half, Place(0, 0, time, capture, frame), seq, ack, flags)
        if flags & FIN and not payload and gives_up(half):
            return self._lifecycle.unanswered(half.pair, time)
        if flags & ACK and (ack != half.peer.acked or not half.pair.established):
            self._lifecycle.acknowledged(half.peer, ack)
        items = self._lifecycle.repeated(half, time, capture, frame) if is_repeated(half, seq, flags) else []
        items += self._order.skip_read(half.peer) if payload and half.peer.reassembly.waiting else []
        items += self._data(half, time, capture, frame, seq, payload, cut)
        if flags & FIN and (half := self._table.find(flow)):  # its bytes may have shown that it is foreign
            items += self._lifecycle.fin(half, Place(0, 0, time, capture, frame))
        return items

    def _known(self, flow: Flow) -> Half | None:
        """The direction with this flow, if followed; a calm connection is woken for it."""
        return self._table.find(flow) or self.calm.wake(flow)

    def advance(self, time: float) -> list[Item]:
        """Capture time has reached `time`: report what is overdue, and forget idle connections."""
        items: list[Item] = []
        for pair in self._table.due(time):
            items += self._lifecycle.overdue(pair, time)
            for half in (pair.first, pair.second):
                items += self._order.skip_holes(half, time)
            self._lifecycle.settle(pair, time)
        self._table.drop_idle(time)
        return items

    @property
    def followed(self) -> Collection[object]:
        """The connections followed at present."""
        return self._table.followed

    @property
    def opening(self) -> Mapping[str, object]:
        """The hosts with an unanswered SYN; nearly always empty."""
        return self._table.opening

    def turned(self, flow: Flow, message: bytes, time: float) -> list[Item]:
        """To be called with messages of other transports: a host that sends a REGISTER or INVITE elsewhere has given up
        its unanswered SYNs."""
        if flow.source_host not in self._table.opening or not message.startswith(_TURNS):
            return []
        return self._moved_on(flow, time)

    def _moved_on(self, flow: Flow, time: float) -> list[Item]:
        """The sender of a message turns to its destination: its unanswered SYNs to others have failed."""
        return self._lifecycle.moved_on(flow.source_host, flow.destination, time)

    def finish(self) -> list[Item]:
        """To be called when the captures have ended: the items from behind holes. SYNs and handshakes that are still
        unanswered prove nothing."""
        items: list[Item] = []
        for half in self._table.holding():
            if isinstance(half, Half):
                items += self._order.skip_holes(half, inf)
        return sorted(items, key=lambda item: (item.time, item.frame))

    def _opened(self, time: float, capture: int, flow: Flow) -> Half:
        """Follow a new connection; if there are too many, forget the one that was unused for longest."""
        while len(self._table) >= self._max_streams:
            oldest = self._table.oldest()
            self.evicted += 1
            if oldest.sip:
                self._health[capture].undecoded["tcp-evicted"] += 1
            self._table.forget(oldest)
        return self._table.open(flow, time, self._contents.on_sip_port(flow))

    def _joined(self, time: float, capture: int, flow: Flow, flags: int, payload: bytes) -> Half | None:
        """Follow a connection joined in the middle, if it may be SIP."""
        if flags & RST:
            return None
        if not self._contents.on_sip_port(flow):
            content = recognise(payload, False) if payload else None
            if content is not Content.SIP and content is not Content.WEBSOCKET:
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
        """A new connection reuses the ports of this one."""
        items = self._lifecycle.unanswered(pair, time)
        for half in (pair.first, pair.second):
            items += self._order.skip_holes(half, inf)
        self._table.forget(pair)
        return items

    def _data(
        self, half: Half, time: float, capture: int, frame: int, seq: int, payload: bytes, cut: bool
    ) -> list[Item]:
        """The items in a segment's payload. A foreign connection is read again only from a SIP start line on."""
        if half.pair.foreign:
            if not looks_like_sip(payload):
                return []
            self._table.forget(half.pair)
            half = self._opened(time, capture, half.flow)
        return self._order.take(half, time, capture, frame, seq, payload, cut)
