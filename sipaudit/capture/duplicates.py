"""The same packet captured twice: at a mirror port that sees both sides of a router, or on the `any` interface.

A duplicate is the same IP datagram but for TTL or hop limit, DSCP and header checksum, within 20 ms
(reference-model.md 5).  A retransmission comes later or has another identification; behind NAT the addresses differ.
"""

from __future__ import annotations

from hashlib import blake2b

from sipaudit.capture.bounds import FOR_FILES
from sipaudit.capture.ip import TCP, UDP

WINDOW = 0.020

Sighting = tuple[float, bytes, bytes]
"""What is remembered of a packet beside its key: `(time, kind, rest)`, where the first byte of `kind` counts."""
Key = bytes | tuple[bytes, bytes, bytes]

_SHORTEST = 20  # an IPv4 header
_LONG = 9_216   # bytes; longer than any frame on a wire
TCP_KEY = b"T"
_TCP_SHORTEST = 40  # IPv4 and TCP without options
_ANY4, _ANY6 = b"4", b"6"  # kinds; that of plain UDP or TCP begins with 0x00, 0x40, 0x80 or 0xC0
_ECN4 = 0x03   # byte 1 of IPv4 without DSCP (RFC 3168 5)
_REST6 = 0x3F  # byte 1 of IPv6 without DSCP: ECN and flow label
_DSCP6 = 0x0F  # byte 0 of IPv6 holds the upper bits of DSCP beside the version


class Duplicates:
    """Remembers the last packets, at least `bound` of them and never more than twice as many.

    Age decides whether two packets match, never what is remembered: a clock that steps costs the pairs that lie
    across the step and no others.  `window` in seconds.
    """

    __slots__ = ("_window", "bound", "older", "recent")

    def __init__(self, window: float = WINDOW, bound: int = FOR_FILES.duplicates) -> None:
        self._window = window
        self.bound = bound
        self.recent: dict[Key, Sighting] = {}
        self.older: dict[Key, Sighting] = {}

    def __len__(self) -> int:
        """How many packets are remembered."""
        return len(self.recent) + len(self.older)

    def seen(self, time: float, ip: bytes) -> bool:
        """Whether this IP packet (from its header to its end, captured at `time`) is a duplicate."""
        if len(ip) < _SHORTEST:
            return False
        if len(ip) > _LONG:  # what an interface has put together itself: many of these would take much memory
            ip = ip[:_LONG] + blake2b(ip[_LONG:], digest_size=16).digest()
        if ip[0] >= 0x50:
            key = bytes((ip[0] & ~_DSCP6, ip[1] & _REST6)) + ip[2:7] + ip[8:60]
            return self.repeated(key, (time, _ANY6, ip[60:]))
        if _is_plain(ip):
            if ip[9] == UDP:
                return self.repeated(ip[4:6] + ip[12:40], (time, ip[6:10], ip[28:]))
            if ip[9] == TCP and len(ip) >= _TCP_SHORTEST:
                return self.repeated(ip[4:6] + ip[12:40] + TCP_KEY, (time, ip[6:10], ip[40:]))
        key = ip[:1] + bytes((ip[1] & _ECN4,)) + ip[2:8] + ip[9:10] + ip[12:40]
        return self.repeated(key, (time, _ANY4, ip[28:]))

    def repeated(self, key: bytes, sighting: Sighting) -> bool:
        """The same for an IPv4 packet that was taken apart: whole, UDP or TCP, no options, no ECN.

        `key` is its identification (bytes 4 and 5) and bytes 12 to 39: addresses, ports, what else the transport's
        header has and of UDP the beginning of the payload, which nearly always tell packets apart, and cheaply; then,
        of TCP, `TCP_KEY`. The kind is bytes 6 to 9, and the rest is what follows: of UDP the payload, of TCP all behind
        the 20 bytes that every header has.
        """
        place: Key = key
        known = self.recent.get(place) or self.older.get(place)
        if known is not None:
            if known[1][0] != sighting[1][0] or known[2] != sighting[2]:
                place = (key, sighting[1][:1], sighting[2])
                known = self.recent.get(place) or self.older.get(place)
            if known is not None and -self._window <= sighting[0] - known[0] <= self._window:
                return True
        if len(self.recent) >= self.bound:
            self.older = self.recent
            self.recent = {}
        self.recent[place] = sighting
        return False


def _is_plain(ip: bytes) -> bool:
    """Whether nothing of the IP header tells packets apart but what `repeated` is given."""
    total = ip[2] << 8 | ip[3]
    return ip[0] == 0x45 and not ip[1] & _ECN4 and total == len(ip) and not (ip[6] & 0x3F or ip[7])
