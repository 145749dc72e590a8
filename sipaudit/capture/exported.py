"""Reads exported PDUs (link type 252), as tshark writes them: SIP extracted from whatever carried it.

A record is a list of tags (type and length, 16 bits each, big endian; type 0 ends it), followed by the bytes of one
PDU: decrypted, reassembled, without lower headers.  How tshark exports SIP was found by experiment (4.0):

- over TLS each chunk of plain text comes as `sip.tcp`, then each message in it as `sip` with the *whole* chunk; an
  unfinished message at the end comes again with its continuation.  We read the chunks: tshark's own `sip` records lose
  a message that follows a keep-alive in the same chunk.
- HTTP inside TLS comes as `http-over-tls` or `http_tls`: SIP in that connection is WebSocket over TLS.
- WebSocket without TLS has the same tags as TCP; it is recognised by WS in the topmost Via (RFC 7118 5.2), which the
  sender writes for this very hop.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from sipaudit.capture.flows import Flows
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Packet
from sipaudit.sip.datagram import Datagram, Flow
from sipaudit.sip.framing import Framer, looks_like_sip

CONVERSATIONS_KEPT = 65_536
FRAMES_KEPT = 63  # frame numbers remembered of one unfinished message

_NAME, _HEURISTIC = 12, 13
_SOURCE4, _DESTINATION4, _SOURCE6, _DESTINATION6 = 20, 21, 22, 23
_PORT_TYPE, _SOURCE_PORT, _DESTINATION_PORT, _FRAME = 24, 25, 26, 30
_CARRIERS = {1: "sctp", 2: "tcp", 3: "udp"}
_VIA = re.compile(rb"\n(?:via|v)[ \t]*:[ \t]*sip[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*(wss?[ \t])?", re.IGNORECASE)


class Pdu(Struct, frozen=True, gc=False):
    """One exported PDU. `name` is the dissector's, `carrier` is sctp, tcp or udp; addresses and ports are packed,
    source first; `frame` is tshark's number."""

    name: bytes
    carrier: str
    addresses: bytes
    ports: bytes
    frame: int
    payload: bytes


def decode(data: bytes) -> Pdu | None:
    """The PDU of a record; None if its tags cannot be read or lack addresses, ports, port type or frame."""
    tags: dict[int, bytes] = {}
    position, end = 0, len(data)
    while position + 4 <= end:
        tag, length = data[position] << 8 | data[position + 1], data[position + 2] << 8 | data[position + 3]
        position += 4
        if not tag:
            return _placed(tags, data[position:])
        tags[tag] = data[position : position + length]
        position += length
    return None


def _placed(tags: dict[int, bytes], payload: bytes) -> Pdu | None:
    source = tags.get(_SOURCE4) or tags.get(_SOURCE6) or b""
    destination = tags.get(_DESTINATION4) or tags.get(_DESTINATION6) or b""
    carrier = _CARRIERS.get(_number(tags, _PORT_TYPE))
    if len(source) != len(destination) or len(source) not in (4, 16) or carrier is None or _FRAME not in tags:
        return None
    ports = tags.get(_SOURCE_PORT, b"")[2:4] + tags.get(_DESTINATION_PORT, b"")[2:4]
    if len(ports) != 4:
        return None
    name = (tags.get(_NAME) or tags.get(_HEURISTIC) or b"").rstrip(b"\0")
    return Pdu(name, carrier, source + destination, ports, _number(tags, _FRAME), payload)


def _number(tags: dict[int, bytes], tag: int) -> int:
    return int.from_bytes(tags.get(tag, b""), "big")


class ExportedSip:
    """SIP messages from exported PDUs, in the order of the records.

    `only` names the transports wanted (None: all); `frames` has the frame number of each packet passed to tshark, in
    the order in which tshark numbers them.  A record that cannot be read is counted, and raises nothing.
    """

    def __init__(
        self, capture: int, health: CaptureHealth, only: frozenset[str] | None, frames: Sequence[int]
    ) -> None:
        self._capture = capture
        self._health = health
        self._only = only
        self._frames = frames
        self._flows = Flows()
        self._last: tuple[int, bytes] | None = None
        self._last_chunk: tuple[int, bytes, bytes] | None = None
        self._begun: dict[tuple[bytes, bytes], list[int]] = {}  # frames of an unfinished message over TLS, by direction
        self._http: set[bytes] = set()  # conversations with HTTP inside TLS

    def datagrams(self, packet: Packet) -> Sequence[Datagram]:
        """The datagrams of one record; none if it is not SIP, not wanted, or was exported before."""
        pdu = decode(packet[3])
        if pdu is None or not 0 < pdu.frame <= len(self._frames):
            self._health.undecoded["exported-pdu"] += 1
        elif pdu.name == b"sip.tcp":
            return self._chunk(packet[0], pdu)
        elif pdu.name == b"sip":
            return self._message(packet[0], pdu)
        elif pdu.name.startswith(b"http") and pdu.name.endswith(b"tls"):
            _remember(self._http, _conversation(pdu))
        return ()

    def _chunk(self, time: float, pdu: Pdu) -> Sequence[Datagram]:
        """A chunk of plain text from TLS: whole messages, and perhaps the beginning of one that will come again."""
        self._last_chunk = (pdu.frame, pdu.addresses, pdu.ports)
        if self._only is not None and "tls" not in self._only:
            return ()
        flow = self._flows.get("tls", pdu.addresses, pdu.ports)
        direction = pdu.addresses, pdu.ports
        begun = self._begun.pop(direction, [])
        messages, unfinished = split(pdu.payload)
        found = [self._datagram(time, flow, pdu.frame, message) for message in messages]
        if found and begun:
            found[0] = self._datagram(time, flow, pdu.frame, messages[0], begun)
        if unfinished:
            self._unfinished(direction, [*(() if found else begun[-FRAMES_KEPT:]), pdu.frame])
        return found

    def _unfinished(self, direction: tuple[bytes, bytes], frames: list[int]) -> None:
        if len(self._begun) >= CONVERSATIONS_KEPT:
            self._begun.clear()  # costs some messages their earlier frames, never a message
        self._begun[direction] = frames

    def _message(self, time: float, pdu: Pdu) -> Sequence[Datagram]:
        """A record of tshark's SIP dissector."""
        if (pdu.frame, pdu.payload) == self._last or (pdu.frame, pdu.addresses, pdu.ports) == self._last_chunk:
            return ()
        self._last = (pdu.frame, pdu.payload)
        transport = self._transport(pdu)
        if self._only is not None and transport not in self._only:
            return ()
        if transport in ("ws", "wss") and not looks_like_sip(pdu.payload):
            return ()
        flow = self._flows.get(transport, pdu.addresses, pdu.ports)
        messages = split(pdu.payload)[0] if transport == "tcp" else [pdu.payload]
        return [self._datagram(time, flow, pdu.frame, message) for message in messages]

    def _transport(self, pdu: Pdu) -> str:
        if pdu.carrier != "tcp":
            return pdu.carrier
        if _conversation(pdu) in self._http:
            return "wss"
        via = _VIA.search(pdu.payload)
        return "ws" if via and via[1] else "tcp"

    def _datagram(
        self, time: float, flow: Flow, number: int, message: bytes, begun: Sequence[int] = ()
    ) -> Datagram:
        """`number` is tshark's number of the packet that ends the message; `begun` are those of its earlier packets."""
        frame = self._frames[number - 1]
        if not begun or begun[0] == number:
            return Datagram(time, self._capture, frame, flow, message)
        frames = (*dict.fromkeys(self._frames[each - 1] for each in begun if each < number), frame)
        return Datagram(time, self._capture, frame, flow, message, frames)


def split(payload: bytes) -> tuple[list[bytes], bool]:
    """The whole messages at the beginning of `payload`, and whether bytes of another one follow."""
    framer = Framer()
    messages = framer.feed(payload)
    return messages, bool(framer.pending)


def _conversation(pdu: Pdu) -> bytes:
    """The same key for both directions."""
    half = len(pdu.addresses) // 2
    ends = sorted((pdu.addresses[:half] + pdu.ports[:2], pdu.addresses[half:] + pdu.ports[2:]))
    return b"".join(ends)


def _remember(known: set[bytes], key: bytes) -> None:
    if len(known) >= CONVERSATIONS_KEPT:
        known.clear()  # a connection still in use is added again with its next record
    known.add(key)
