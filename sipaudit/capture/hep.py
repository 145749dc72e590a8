"""HEP, the encapsulation in which capture agents ship SIP (Homer, Kamailio, OpenSIPS, sngrep): versions 1 to 3."""

from __future__ import annotations

import zlib
from struct import Struct as Layout

from msgspec import Struct

from sipaudit.capture.content import is_keepalive
from sipaudit.capture.layers import Stop, Tally

PORT, TLS_PORT = 9060, 9061  # where HEP collectors listen, by convention
SIP = 1  # protocol type of chunk 11
PAYLOAD_BYTES = 1 << 16  # of a decompressed payload, at most; SIP over UDP cannot be longer
TRANSPORTS = {17: "udp", 6: "tcp", 132: "sctp", 22: "tls"}  # 22: what Kamailio writes for TLS, WS and WSS

_MAGIC = b"HEP3"
_CHUNKS = 64  # chunks read in one packet; agents send a dozen
_FAMILIES = {2: 4, 10: 16, 23: 16, 24: 16, 28: 16, 30: 16}  # AF_INET, AF_INET6 of the systems that agents run on
_SOURCE4, _DESTINATION4, _SOURCE6, _DESTINATION6 = 3, 4, 5, 6
_SOURCE_PORT, _DESTINATION_PORT, _SECONDS, _MICROSECONDS, _TYPE, _AGENT = 7, 8, 9, 10, 11, 12
_KEY, _PLAIN, _COMPRESSED = 14, 15, 16
_PROTOCOL = 2
_CHUNK = Layout(">HHH").unpack_from  # vendor, type, length with this header


class HepPacket(Struct, frozen=True, gc=False):
    """One message as an agent saw it. `addresses` and `ports` are packed, source first; `protocol` is the IP
    protocol, `time` seconds since the epoch by the agent's clock (None: version 1 has none), `type` the protocol
    of `payload` (1: SIP), `key` the agent's password.  `cut`: the payload's end is missing."""

    version: int
    addresses: bytes
    ports: bytes
    protocol: int
    time: float | None
    type: int
    agent: int
    key: bytes
    payload: bytes
    cut: bool

    @property
    def transport(self) -> str | None:
        """udp, tcp, tls or sctp; None for anything else."""
        return TRANSPORTS.get(self.protocol)


def parse_hep(payload: bytes) -> HepPacket | None:
    """The HEP packet in a UDP payload (or one framed from a stream); None if it is not HEP, or cannot be read."""
    if payload[:4] == _MAGIC:
        return _parse_hep3(payload)
    if payload[:1] in (b"\x01", b"\x02"):
        return _parse_hep2(payload)
    return None


def aside(packet: HepPacket) -> Stop | None:
    """How to count a packet that carries no SIP message; None for one that does."""
    if packet.type != SIP:
        return Stop(f"hep-type-{packet.type}", Tally.CONTENT)
    if packet.transport is None:
        return Stop(f"hep-proto-{packet.protocol}")
    return Stop("keepalive", Tally.CONTENT) if is_keepalive(packet.payload) else None


def _parse_hep3(payload: bytes) -> HepPacket | None:
    """Chunks of vendor 0: vendor (2), type (2), length with this header (2), value (HEP3 specification rev. 12, 3)."""
    if len(payload) < 6:
        return None
    total = int.from_bytes(payload[4:6], "big")
    values, cut = _chunks(payload, min(total, len(payload)), total)
    source = values.get(_SOURCE4) or values.get(_SOURCE6, b"")
    destination = values.get(_DESTINATION4) or values.get(_DESTINATION6, b"")
    message = values.get(_PLAIN)
    if message is None:
        message, inflated = _inflate(values.get(_COMPRESSED, b""))
        cut = cut or not inflated
    if len(source) not in (4, 16) or len(source) != len(destination) or not message:
        return None
    return HepPacket(
        3, source + destination, _port(values, _SOURCE_PORT) + _port(values, _DESTINATION_PORT),
        _number(values, _PROTOCOL) & 0xFF,
        _time(_number(values, _SECONDS), _number(values, _MICROSECONDS)) if _SECONDS in values else None,
        _number(values, _TYPE) & 0xFF, _number(values, _AGENT), values.get(_KEY, b""), message, cut,
    )


def _chunks(payload: bytes, end: int, total: int) -> tuple[dict[int, bytes], bool]:
    """The value of the first chunk of each type, and whether the packet is cut off."""
    values: dict[int, bytes] = {}
    at = 6
    for _ in range(_CHUNKS):
        if at + 6 > end:
            break
        vendor, kind, length = _CHUNK(payload, at)
        if length < 6:
            break
        if not vendor and kind not in values:
            values[kind] = payload[at + 6 : min(at + length, end)]
        at += length
    return values, total > len(payload)


def _number(values: dict[int, bytes], kind: int) -> int:
    """An unsigned value of at most 4 bytes, 0 when absent."""
    return int.from_bytes(values.get(kind, b"")[:4], "big")


def _time(seconds: int, microseconds: int) -> float:
    """Seconds since the epoch; an invalid fraction is limited, so that it never adds a second or more."""
    return seconds + min(microseconds, 999_999) / 1e6


def _port(values: dict[int, bytes], kind: int) -> bytes:
    return values.get(kind, b"")[:2].rjust(2, b"\0")


def _inflate(data: bytes) -> tuple[bytes, bool]:
    """Decompress a zlib stream, up to PAYLOAD_BYTES; the second value says whether it was complete."""
    stream = zlib.decompressobj()
    try:
        message = stream.decompress(data, PAYLOAD_BYTES)
    except zlib.error:
        return b"", False
    return message, stream.eof


def _parse_hep2(payload: bytes) -> HepPacket | None:
    """Versions 1 and 2: version, header length, family, protocol, two ports, two addresses, then in version 2 the
    time (little-endian, as its senders write it) and the agent, 12 bytes."""
    if len(payload) < 8:
        return None
    version, length = payload[0], payload[1]
    size = _FAMILIES.get(payload[2], 0)
    start = length + (12 if version == 2 else 0)
    if not size or length != 8 + 2 * size or payload[3] not in TRANSPORTS or len(payload) <= start:
        return None
    time, agent = None, 0
    if version == 2:
        seconds, micro = (int.from_bytes(payload[at : at + 4], "little") for at in (length, length + 4))
        time, agent = _time(seconds, micro), int.from_bytes(payload[length + 8 : length + 10], "little")
    addresses = payload[8:length]
    return HepPacket(version, addresses, payload[4:8], payload[3], time, SIP, agent, b"", payload[start:], False)
