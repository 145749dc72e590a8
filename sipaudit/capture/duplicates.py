"""Detects packets captured twice: at a mirror port that sees both sides of a router, or on the `any` interface.

A duplicate is an IP datagram that repeats another within 20 ms and differs at most in TTL or hop limit, DSCP and header
checksum (reference-model.md 5).  A retransmission comes later or has another IP identification; behind NAT the
addresses differ.
"""

from __future__ import annotations

from struct import Struct as Layout

from sipaudit.capture.bounds import FOR_FILES
from sipaudit.capture.flows import end
from sipaudit.capture.ip import TCP, UDP
from sipaudit.sip.datagram import Datagram

WINDOW = 0.020   # seconds
LEAST = 512   # packets that a generation must have before time alone makes it the older one

Key = int | bytes | tuple["Key", tuple[bytes | str, ...]]
"""A short key, which nearly always distinguishes packets; (key, content) for a further packet with the same short
key."""
Sighting = tuple[float, *tuple[bytes | str, ...]]
"""The time of a packet, and the content that distinguishes it from others with its key. For SIP over UDP the `Datagram`
is stored instead, since it exists anyway (see `udp_sighting`)."""
Known = Datagram | Sighting

MARK = 18  # bits by which bytes 4 to 7 are shifted in a key: their last 14 bits are 0 where there is no fragment
OF_TCP = 1 << 32 + MARK
_ENDS = Layout("4s4s2s2s").unpack
_SHORTEST = 20  # an IPv4 header
_LONG = 9_216   # bytes; longer than any frame on a wire
_UDP_SHORTEST, _TCP_SHORTEST = 28, 40  # with an IPv4 header without options
_ECN4 = 0x03   # byte 1 of IPv4 without DSCP (RFC 3168 5)
_REST6 = 0x3F  # byte 1 of IPv6 without DSCP: ECN and flow label
_DSCP6 = 0x0F  # byte 0 of IPv6 holds the upper bits of DSCP beside the version


class Duplicates:
    """Remembers the last packets, at least `LEAST` and at most twice `bound`; between these limits `pass_time` forgets
    by age, because the bytes of these packets take most of the memory of a short capture.

    Whether two packets match depends on the difference of their times, not on what is still stored: a clock step costs
    only the pairs that lie across the step.
    """

    __slots__ = ("bound", "older", "recent")

    def __init__(self, bound: int = FOR_FILES.duplicates) -> None:
        self.bound = bound
        self.recent: dict[Key, Known] = {}
        self.older: dict[Key, Known] = {}

    def __len__(self) -> int:
        """How many packets are remembered."""
        return len(self.recent) + len(self.older)

    def seen(self, time: float, ip: bytes) -> bool:
        """Whether this IP packet (from its header to its end, captured at `time`) is a duplicate."""
        if len(ip) < _SHORTEST:
            return False
        if len(ip) > _LONG:  # reassembled by the interface (offloading): many of these would take much memory
            from hashlib import blake2b  # deferred: OpenSSL comes with it, and most captures have no such packet

            ip = ip[:_LONG] + blake2b(ip[_LONG:], digest_size=16).digest()
        if ip[0] >= 0x50:
            key = bytes((ip[0] & ~_DSCP6, ip[1] & _REST6)) + ip[2:7] + ip[8:60]
            return self.repeated(key, (time, ip[60:]))
        if _is_plain(ip):
            mark, first = int.from_bytes(ip[4:8], "big") << MARK, int.from_bytes(ip[24:28], "big")
            if ip[9] == UDP and len(ip) >= _UDP_SHORTEST and first >> 16 == len(ip) - 20:
                return self.repeated(mark | first, udp_sighting(time, ip[12:24], ip[28:]))
            if ip[9] == TCP and len(ip) >= _TCP_SHORTEST:
                check, data = int.from_bytes(ip[36:38], "big"), 20 + (ip[32] >> 4) * 4
                return self.repeated(OF_TCP | mark | first ^ check << 16, (time, ip[12:data], ip[data:]))
        key = ip[:1] + bytes((ip[1] & _ECN4,)) + ip[2:8] + ip[9:10] + ip[12:40]
        return self.repeated(key, (time, ip[28:]))

    def repeated(self, key: int | bytes, sighting: Sighting) -> bool:
        """The same as `seen` for an IPv4 packet already parsed: unfragmented, UDP or TCP, no options, no ECN. A packet
        that is no duplicate is remembered.

        `key` is bytes 4 to 7 (identification, DF), shifted by `MARK`, with the 32 most distinctive bits of the
        transport header: for UDP length and checksum; for TCP the sequence number with the checksum XORed into its
        upper half, and `OF_TCP`. The sighting for UDP is that of `udp_sighting`; for TCP it is the bytes from 12 up to
        the payload, and the payload.
        """
        recent = self.recent
        if key not in recent and key not in self.older and len(recent) < self.bound:
            recent[key] = sighting
            return False
        place = self.place(key, sighting)
        if place is None:
            return True
        self.recent[place] = sighting
        return False

    def pass_time(self) -> None:
        """To be called after a time many windows long: of the packets before it, only the last can match any more."""
        if len(self.recent) >= LEAST:
            self._turn()

    def _turn(self) -> None:
        self.older, self.recent = self.recent, {}

    def place(self, key: Key, sighting: Sighting) -> Key | None:
        """The key under which to store this packet in `recent`; None if it is a duplicate.

        In each generation the first packet with a key is stored under that key, and different packets with the same key
        under (key, content).
        """
        what = sighting[1:]
        first = self.recent.get(key)
        known = first if first is None or _is(first, what) else self.recent.get((key, what))
        if known is None and (old := self.older.get(key)) is not None:
            known = old if _is(old, what) else self.older.get((key, what))
        if known is not None:
            then = known[0] if isinstance(known, tuple) else known.time
            if -WINDOW <= sighting[0] - then <= WINDOW:
                return None
        if len(self.recent) >= self.bound:
            self._turn()
            first = None
        return key if first is None or _is(first, what) else (key, what)


def udp_sighting(time: float, ends: bytes, payload: bytes) -> Sighting:
    """The sighting of a UDP packet: time, payload, source and destination. `ends` is addresses and ports, packed."""
    source, destination, source_port, destination_port = _ENDS(ends)
    return time, payload, end(source, source_port)[2], end(destination, destination_port)[2]


def _is(known: Known, what: tuple[bytes | str, ...]) -> bool:
    """Whether a remembered packet has this content, whatever its time."""
    if isinstance(known, tuple):
        return known[1:] == what
    flow = known.flow
    return known.payload == what[0] and flow.source == what[1] and flow.destination == what[2]


def _is_plain(ip: bytes) -> bool:
    """Whether `repeated` gets all of the IP header that can distinguish packets: no options, ECN or fragment."""
    total = ip[2] << 8 | ip[3]
    return ip[0] == 0x45 and not ip[1] & _ECN4 and total == len(ip) and not (ip[6] & 0x3F or ip[7])
