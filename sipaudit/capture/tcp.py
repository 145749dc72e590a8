"""TCP for SIP: segments in, messages and connection evidence out.

Content decides, not ports: SIP, TLS and WebSocket are known by their first bytes, and everything else is forgotten
at once.  A stream joined in the middle is taken up at its next start line.  All that is kept is bounded, per stream
and in total.

A message behind a hole is handed out when the hole fills or is given up, with the time and frame of its own packets,
so times may step back by as long as a hole is waited for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import inf

from ..sip.datagram import Connection, ConnectionKind, Datagram, Flow, Gap, Item, TransportError
from ..sip.framing import MESSAGE_LIMIT, Framer, looks_like_sip
from .connections import SIPS_PORT, Content, Half, Pair, Place
from .health import CaptureHealth
from .recognition import recognise
from .segments import Segment, ahead
from .table import Table
from .tls import Records, is_client_hello
from .websocket import Frames

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

MOVED_ON = 1.0   # seconds: a SYN older than this has failed when its sender turns elsewhere
STALE = 1 << 20  # bytes: so far behind its stream a segment belongs to another connection


class Streams:
    """All TCP connections of the captures.

    `sip_ports` are the ports whose connections count as SIP before a message was seen: 5060, 5061, those where SIP
    was found, and what the caller adds.  `tls_ports` are the server ports on which a TLS hello was seen, SIP or not.
    `needs_tshark` counts the connections that only tshark can read: `tls` on SIP ports, `websocket`.
    """

    def __init__(
        self, health: Sequence[CaptureHealth], *, max_streams: int = 65_536,
        max_bytes_per_stream: int = MESSAGE_LIMIT, max_bytes: int = 64 << 20,
    ) -> None:
        self._health = health
        self._max_streams = max_streams
        self._max_bytes_per_stream = max_bytes_per_stream
        self._max_bytes = max_bytes
        self._table = Table()
        self.sip_ports: set[int] = {5060, SIPS_PORT}
        self.tls_ports: set[int] = set()
        self.needs_tshark: Counter[str] = Counter()

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
        place = Place(0, 0, time, capture, frame)
        half = self._table.find(flow)
        if flags & SYN:
            return self._syn(half, place, flow, seq, ack, flags, payload)
        half = half or self._joined(place, flow, flags, payload)
        if half is None:
            return []
        self._table.use(half, flow, time)
        if flags & ACK:
            self._acknowledged(half.peer, ack)
        if flags & RST:
            return self._reset(half, place, seq)
        items = self._data(half, place, seq, payload, cut)
        if flags & FIN and not half.fin:
            items += self._fin(half, place)
        return items

    def advance(self, time: float) -> list[Item]:
        """Capture time has come to `time`: what is overdue is said, what is idle forgotten."""
        items: list[Item] = []
        for pair in self._table.due(time):
            items += self._overdue(pair, time)
        self._table.drop_idle(time)
        return items

    def moved_on(self, host: str, destination: str, time: float) -> list[Item]:
        """A host turns to `destination` (host:port): its unanswered SYNs to others have failed."""
        items: list[Item] = []
        for pair in self._table.unanswered(host):
            opener = pair.client
            if opener and pair.syn and opener.flow.destination != destination and time - pair.syn.time >= MOVED_ON:
                items += self._unanswered(pair, time)
        return items

    def finish(self) -> list[Item]:
        """The captures have ended: what waits behind holes comes out. What was still open proves nothing."""
        items: list[Item] = []
        for half in self._table.holding():
            while half.reassembly.waiting:
                items += self._skip_hole(half)
        return sorted(items, key=lambda item: (item.time, item.frame))

    # How a connection begins and ends

    def _opened(self, place: Place, flow: Flow) -> Half:
        """Follow a new connection; when there are too many, the longest unused one is forgotten."""
        while len(self._table) >= self._max_streams:
            oldest = self._table.oldest()
            self._health[place.capture].undecoded["tcp-evicted"] += oldest.sip
            self._table.forget(oldest)
        return self._table.open(flow, place.time, self._on_sip_port(flow))

    def _on_sip_port(self, flow: Flow) -> bool:
        return flow.source_port in self.sip_ports or flow.destination_port in self.sip_ports

    def _joined(self, place: Place, flow: Flow, flags: int, payload: bytes) -> Half | None:
        """Take up a connection whose beginning was not seen, if it may be SIP, and note where TLS is spoken."""
        if flags & RST:
            return None
        if self._on_sip_port(flow):
            return self._opened(place, flow)
        content = recognise(payload, False) if payload else None
        return None if content is None or content is Content.OTHER else self._opened(place, flow)

    def _syn(
        self, half: Half | None, place: Place, flow: Flow, seq: int, ack: int, flags: int, payload: bytes
    ) -> list[Item]:
        items: list[Item] = []
        opens = not flags & ACK
        if half and half.isn is not None and half.isn != seq:  # the ports are used again
            items = self._ended(half.pair, place.time)
            half = None
        known = half is not None and half.isn == seq
        half = half or self._opened(place, flow)
        self._table.use(half, flow, place.time)
        if flags & ACK:
            self._acknowledged(half.peer, ack)
            self._established(half.pair)
        if known:
            half.pair.repeat_syn(place) if opens else None
        else:
            half.isn = seq
            half.reassembly.start((seq + 1) % (1 << 32))
            half.pair.client = half if opens else half.peer
            items += self._first_syn(half, place) if opens else []
        self._table.schedule(half.pair)
        return items + (self._data(half, place, seq + 1, payload, False) if payload else [])

    def _first_syn(self, half: Half, place: Place) -> list[Item]:
        pair, flow = half.pair, half.evidence_flow()
        pair.syn = pair.syn_last = place
        if not pair.sip:
            return []
        self._table.asked(pair, flow.source_host)
        items = self.moved_on(flow.source_host, flow.destination, place.time)
        return [*items, Connection(place.time, place.capture, place.frame, ConnectionKind.SYN, flow)]

    def _ended(self, pair: Pair, time: float) -> list[Item]:
        """A new connection takes the place of this one."""
        items = self._unanswered(pair, time)
        for half in (pair.first, pair.second):
            while half.reassembly.waiting:
                items += self._skip_hole(half)
        self._table.forget(pair)
        return items

    def _established(self, pair: Pair) -> None:
        if not pair.established:
            pair.established = True
            self._table.answered(pair)

    def _unanswered(self, pair: Pair, time: float) -> list[Item]:
        self._table.answered(pair)
        return self._evidence(pair, pair.unanswered(time))

    def _evidence(self, pair: Pair, error: TransportError | None) -> list[Item]:
        return [error] if error is not None and pair.sip else []

    def _acknowledged(self, half: Half, ack: int) -> None:
        """The other side of `half` has received all before `ack`."""
        pair = half.pair
        if half.acked is None or ahead(ack, half.acked) > 0:
            half.acked = ack
            if half.reassembly.waiting:
                self._table.schedule(pair)
        if pair.client is half.peer and not pair.established:  # only somebody who had an answer acknowledges it
            self._established(pair)

    def _reset(self, half: Half, place: Place, seq: int) -> list[Item]:
        pair = half.pair
        if half.reassembly.started and abs(half.reassembly.offset(seq) - half.reassembly.position) > STALE:
            return []  # of another connection, or forged
        if pair.closed < inf:
            return []
        items = self._evidence(pair, pair.reset(half, place))
        pair.closed = place.time
        self._table.answered(pair)
        self._table.schedule(pair)
        return items

    def _fin(self, half: Half, place: Place) -> list[Item]:
        pair = half.pair
        half.fin = True
        items: list[Item] = []
        if pair.sip:
            flow = half.evidence_flow()
            items.append(Connection(place.time, place.capture, place.frame, ConnectionKind.CLOSED, flow))
            items += self._evidence(pair, pair.handshake_failed(place, ""))
        if half.peer.fin:
            pair.closed = place.time
            self._table.schedule(pair)
        return items

    def _overdue(self, pair: Pair, time: float) -> list[Item]:
        if pair.closed + CLOSED_KEPT <= time:
            ...
