"""Reads the bytes of connections: extracts messages from SIP streams, and counts TLS records and WebSocket messages."""

from __future__ import annotations

from collections.abc import Sequence

from sipaudit.capture.content import SIP_PORT, SIPS_PORT
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.tcp_connections import Content, Half, Pair, Place
from sipaudit.capture.tcp_recognition import recognise
from sipaudit.capture.tls import Records, is_client_hello
from sipaudit.capture.websocket import Frames
from sipaudit.sip.datagram import Connection, ConnectionKind, Datagram, Flow, Item
from sipaudit.sip.framing import Framer

WANTS_NO_ANSWER = (b"SIP/", b"ACK ")


class Contents:
    """Reads the bytes of connections in stream order, and learns SIP ports from them (see `Streams`)."""

    __slots__ = ("_health", "sip_ports")

    def __init__(self, health: Sequence[CaptureHealth]) -> None:
        self._health = health
        self.sip_ports: set[int] = {SIP_PORT, SIPS_PORT}

    def on_sip_port(self, flow: Flow) -> bool:
        """Whether SIP is expected on one of the ports of a flow."""
        return flow.source_port in self.sip_ports or flow.destination_port in self.sip_ports

    def deliver(self, half: Half, payload: bytes, place: Place, cut: bool = False) -> list[Item]:
        """Read the next bytes of one direction; returns the items that they complete."""
        if half.framer:
            return self._sip(half, half.framer, payload, place, cut)
        if half.pair.content is Content.UNDECIDED:
            return self._undecided(half, payload, place, cut)
        return self._read(half, payload, place, cut)

    def message(
        self, half: Half, framer: Framer, payload: bytes, time: float, capture: int, frame: int
    ) -> Datagram | None:
        """The same for a direction that holds nothing, if the next bytes are exactly one message; None if they are not,
        and must still be delivered."""
        if not framer.passes(payload):
            return None
        half.asking = not payload.startswith(WANTS_NO_ANSWER)
        if not half.pair.learned:
            self._learn(half)
        return Datagram(time, capture, frame, half.flow, payload)

    def _read(self, half: Half, payload: bytes, place: Place, cut: bool) -> list[Item]:
        """Read bytes once the content is decided; the packet at `place` carried the last of them."""
        if half.framer:
            return self._sip(half, half.framer, payload, place, cut)
        if half.records:
            return self._tls(half.pair, half, half.records, payload, place)
        if half.frames and (begun := half.frames.feed(payload)):
            self._health[place.capture].undecoded["websocket"] += begun
        return []

    def lost(self, half: Half, missing: int) -> None:
        """The next bytes are not in the capture."""
        half.opening.clear()
        half.places.clear()
        if half.framer:
            half.framer.lost(missing)
        elif half.records:
            half.records.lost(missing)
            half.pair.hello = None  # the missing bytes may have been the end of the handshake
        elif half.frames:
            half.frames.lost(missing)

    def _undecided(self, half: Half, payload: bytes, place: Place, cut: bool) -> list[Item]:
        begins = not half.places
        content = recognise(payload, self.on_sip_port(half.flow)) if begins and payload else None
        if content is Content.SIP:
            return self._begun(half, payload, place, cut)
        half.opening += payload
        half.keep(place)
        if not begins and half.opening:
            content = recognise(half.opening, self.on_sip_port(half.flow))
        if content is None:
            return []
        half.pair.content = content
        if content is Content.TLS:
            self._begin_tls(half, place)
        elif content is Content.WEBSOCKET:
            self._begin_websocket(half.pair)
        elif content is Content.SIP:
            self._begin_sip(half, half.places[-1].end - len(half.opening))
        else:
            half.pair.sip = False
            half.pair.foreign = True
        return self._read_opening(half, cut) + self._read_opening(half.peer, False)

    def _begun(self, half: Half, payload: bytes, place: Place, cut: bool) -> list[Item]:
        """Read the first bytes of a connection, which are SIP."""
        half.pair.content = Content.SIP
        framer = self._begin_sip(half, place.begin)
        only = None if cut else self.message(half, framer, payload, place.time, place.capture, place.frame)
        items: list[Item] = [only] if only else self._sip(half, framer, payload, place, cut)
        return items + self._read_opening(half.peer, False) if half.peer.opening else items

    def _read_opening(self, half: Half, cut: bool) -> list[Item]:
        """Pass the bytes held until the content was decided to their reader."""
        opening, places = bytes(half.opening), half.places
        half.opening.clear()
        if half.pair.content is not Content.SIP:
            half.places = []
        return self._read(half, opening, places.pop(), cut) if opening else []

    def _begin_sip(self, half: Half, begin: int) -> Framer:
        """Read both directions as SIP, this one from offset `begin` on."""
        half.pair.sip = True
        peer = half.peer
        other = (peer.places[-1].end if peer.places else peer.reassembly.position) - len(peer.opening)
        peer.framer = Framer(other, synced=other == 0 and peer.isn is not None)
        half.framer = Framer(begin, synced=begin == 0 and half.isn is not None)
        return half.framer

    def _begin_tls(self, half: Half, place: Place) -> None:
        """Read a connection as TLS, but only where SIP is expected; otherwise it is foreign."""
        pair = half.pair
        if not pair.sip:
            pair.content = Content.OTHER
            pair.foreign = True
            return
        is_hello = is_client_hello(half.opening)
        if is_hello:
            pair.client = pair.client or half
            pair.hello = place
        half.records, half.peer.records = Records(is_hello), Records(is_hello)

    def _begin_websocket(self, pair: Pair) -> None:
        pair.sip = True
        pair.first.frames, pair.second.frames = Frames(), Frames()

    def _tls(self, pair: Pair, half: Half, records: Records, payload: bytes, place: Place) -> list[Item]:
        known = records.application
        records.feed(payload)
        half.asking = not records.closing
        if pair.hello is not None:
            if records.fatal:
                error = pair.handshake_failed(place)
                return [error] if error else []
            if half.peer.records and half.peer.records.finished and records.finished:
                pair.hello = None
        if pair.hello is not None or records.application == known:
            return []
        self._health[place.capture].encrypted["tls"] += records.application - known
        if pair.encrypted:
            return []
        pair.encrypted = True
        flow = half.evidence_flow()
        return [Connection(place.time, place.capture, place.frame, ConnectionKind.ENCRYPTED, flow)]

    def _sip(self, half: Half, framer: Framer, payload: bytes, place: Place, cut: bool) -> list[Item]:
        skipped = framer.skipped
        messages = framer.feed(payload)
        items: list[Item] = [
            _datagram(half, place, message, span, False)
            for message, span in zip(messages, framer.spans, strict=True)
        ]
        if cut and (begun := framer.cut()) is not None:
            messages.append(begun)
            items.append(_datagram(half, place, begun, framer.spans[0], True))
            self._health[place.capture].snaplen_cut += 1
        if framer.skipped > skipped:
            self._health[place.capture].undecoded["tcp-skipped"] += 1
        if messages:
            half.asking = not messages[-1].startswith(WANTS_NO_ANSWER)
            half.places = []
            if not half.pair.learned:
                self._learn(half)
        if framer.pending:
            half.asking = True
            half.keep(place)
        elif half.places:
            half.places = []
        return items

    def _learn(self, half: Half) -> None:
        """Add the port of a connection on which SIP was found to the SIP ports."""
        pair = half.pair
        pair.learned = True
        if pair.client:
            self.sip_ports.add(pair.client.flow.destination_port)
        else:
            self.learn(half.flow)

    def learn(self, flow: Flow) -> None:
        """SIP was found on a connection whose opening was not captured: add the lower port, which is probably the
        server's, to the SIP ports."""
        self.sip_ports.add(min(flow.source_port, flow.destination_port))


def _datagram(half: Half, place: Place, message: bytes, span: tuple[int, int], cut: bool) -> Datagram:
    """A message with the packets that carried it; its time and frame are those of the packet that came last."""
    begin = span[0]
    if begin >= place.begin:
        return Datagram(place.time, place.capture, place.frame, half.flow, message, (), cut)
    pieces = [*(known for known in half.places if known.end > begin), place]
    last = max(pieces, key=lambda piece: (piece.time, piece.frame))
    frames = sorted({piece.frame for piece in pieces if piece.capture == last.capture})
    return Datagram(
        last.time, last.capture, last.frame, half.flow, message, tuple(frames) if len(frames) > 1 else (), cut
    )
