"""Parses IPv4 and IPv6 headers, and the extension headers between them and the transport."""

from __future__ import annotations

from msgspec import Struct

from sipaudit.capture.layers import TRUNCATED, Stop, Tally

UDP, TCP, ICMP, ICMP6, ESP, AH, FRAGMENT = 17, 6, 1, 58, 50, 51, 44
EXTENSION_HEADERS = 16  # extension headers followed per packet; RFC 8200 4.1 has six kinds, each once or twice

_BAD_HEADER = Stop("ip-header")
_EXTENSIONS = (0, 43, 60, AH, FRAGMENT)  # 0, 43, 60: hop-by-hop, routing and destination options
_PROTOCOL_STOPS = {
    2: Stop("igmp", Tally.CONTENT), 59: Stop("ip-empty", Tally.CONTENT), 88: Stop("eigrp", Tally.CONTENT),
    89: Stop("ospf", Tally.CONTENT), 103: Stop("pim", Tally.CONTENT), 112: Stop("vrrp", Tally.CONTENT),
    132: Stop("sctp"), ESP: Stop("esp", Tally.ENCRYPTED),
}


class Fragment(Struct, frozen=True, gc=False):
    """Where a fragment lies in its datagram: bytes from `start` to `end` of what was fragmented."""

    identification: bytes
    start: int
    end: int
    more: bool


class IpPacket(Struct, frozen=True, gc=False):
    """One IP packet or reassembled datagram. `payload` begins with the header of `protocol`.

    `cut`: the snap length removed its end.  `datagram` is the packet as captured, without link-layer padding; empty
    if it was reassembled from fragments.
    """

    source: bytes
    destination: bytes
    protocol: int
    payload: bytes
    cut: bool
    fragment: Fragment | None
    datagram: bytes


def protocol_stop(number: int) -> Stop:
    """How to count a packet with an IP protocol that we do not read."""
    return _PROTOCOL_STOPS.get(number) or Stop(f"ip-proto-{number}")


def parse_ip(data: bytes, missing: bool) -> IpPacket | Stop:
    """Parse an IPv4 or IPv6 packet. `missing`: the snap length cut the frame; it matters only if the header has length
    0, as with segmentation offload."""
    version = data[0] >> 4 if data else 0
    if version == 4:
        return _parse_ip4(data, missing)
    if version == 6:
        return _parse_ip6(data, missing)
    return _BAD_HEADER if data else TRUNCATED


def _parse_ip4(data: bytes, missing: bool) -> IpPacket | Stop:
    header = (data[0] & 15) * 4
    if len(data) < max(header, 20):
        return TRUNCATED
    total = int.from_bytes(data[2:4], "big")
    if header < 20 or 0 < total < header:
        return _BAD_HEADER
    cut = total > len(data) if total else missing
    end = min(total or len(data), len(data))
    place = int.from_bytes(data[6:8], "big")
    fragment = None
    if place & 0x3FFF:
        start = (place & 0x1FFF) * 8
        fragment = Fragment(data[4:6] + data[9:10], start, start + (total or end) - header, bool(place & 0x2000))
    packet = IpPacket(data[12:16], data[16:20], data[9], data[header:end], cut, fragment, data[:end])
    return packet if fragment or data[9] not in _EXTENSIONS else behind_extensions(packet)


def _parse_ip6(data: bytes, missing: bool) -> IpPacket | Stop:
    if len(data) < 40:
        return TRUNCATED
    total = int.from_bytes(data[4:6], "big")
    cut = 40 + total > len(data) if total else missing
    end = min(40 + total if total else len(data), len(data))
    packet = IpPacket(data[8:24], data[24:40], data[6], data[40:end], cut, None, data[:end])
    return packet if data[6] not in _EXTENSIONS else behind_extensions(packet, total or end - 40)


def behind_extensions(packet: IpPacket, declared: int = 0) -> IpPacket | Stop:
    """The packet with its extension headers (and AH, which encrypts nothing) skipped, up to a fragment header.

    `declared` is the payload length in the IP header, from which the end of a fragment is computed (IPv6 only).
    """
    protocol, payload, at = packet.protocol, packet.payload, 0
    for _ in range(EXTENSION_HEADERS):
        if protocol not in _EXTENSIONS:
            return packet if at == 0 else _moved(packet, protocol, at, None)
        if at + 8 > len(payload):
            return TRUNCATED
        if protocol == FRAGMENT:
            place = int.from_bytes(payload[at + 2 : at + 4], "big")
            start, more = place & 0xFFF8, bool(place & 1)
            if start or more:
                end = start + max(declared - at - 8, 0)
                fragment = Fragment(payload[at + 4 : at + 8], start, end, more)
                return _moved(packet, payload[at], at + 8, fragment)
            length = 8  # an atomic fragment is a whole datagram (RFC 6946)
        else:
            length = (payload[at + 1] + 2) * 4 if protocol == AH else (payload[at + 1] + 1) * 8
        protocol, at = payload[at], at + length
    return Stop("ip-extensions")


def _moved(packet: IpPacket, protocol: int, at: int, fragment: Fragment | None) -> IpPacket:
    return IpPacket(
        packet.source, packet.destination, protocol, packet.payload[at:], packet.cut, fragment, packet.datagram
    )
