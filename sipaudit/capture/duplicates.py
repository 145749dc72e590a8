"""The same packet captured twice: at a mirror port that sees both sides of a router, or on the `any` interface.

A duplicate is the same IP datagram but for TTL or hop limit, DSCP and header checksum, within 20 ms
(reference-model.md 5).  A retransmission comes later or has another identification; behind NAT the addresses differ.
"""

from __future__ import annotations

WINDOW = 0.020

_SHORTEST = 20  # an IPv4 header
_ECN4 = 0x03   # byte 1 of IPv4 without DSCP (RFC 3168 5)
_REST6 = 0x3F  # byte 1 of IPv6 without DSCP: ECN and flow label
_DSCP6 = 0x0F  # byte 0 of IPv6 holds the upper bits of DSCP beside the version


class Duplicates:
    """Remembers the last packets, at least `bound` of them and never more than twice as many.

    Age decides whether two packets match, never what is remembered: a clock that steps costs the pairs that lie
    across the step and no others.  `window` in seconds.
    """

    __slots__ = ("_bound", "_older", "_recent", "_window")

    def __init__(self, window: float = WINDOW, bound: int = 4096) -> None:
        self._window = window
        self._bound = bound
        self._recent: dict[bytes, tuple[float, bytes]] = {}
        self._older: dict[bytes, tuple[float, bytes]] = {}

    def __len__(self) -> int:
        """How many packets are remembered."""
        return len(self._recent) + len(self._older)

    def seen(self, time: float, ip: bytes) -> bool:
        """Whether this IP packet (from its header to its end, captured at `time`) is a duplicate."""
        if len(ip) < _SHORTEST:
            return False
        # Lengths, identification, addresses, ports and checksum nearly always tell packets apart, and cheaply.
        key = ip[2:8] + ip[12:40] if ip[0] < 0x50 else ip[4:7] + ip[8:60]
        recent = self._recent
        known = recent.get(key) or self._older.get(key)
        if known is not None and not _is_same(known[1], ip):
            key = _essence(ip)
            known = recent.get(key) or self._older.get(key)
            if known is not None and not _is_same(known[1], ip):
                known = None
        if known is not None and -self._window <= time - known[0] <= self._window:
            return True
        if len(recent) >= self._bound:
            self._older = recent
            self._recent = recent = {}
        recent[key] = (time, ip)
        return False


def _is_same(one: bytes, other: bytes) -> bool:
    return len(one) == len(other) and _essence(one) == _essence(other)


def _essence(ip: bytes) -> bytes:
    """The packet without what routers and mirrors may change."""
    if ip[0] < 0x50:
        return ip[:1] + bytes((ip[1] & _ECN4,)) + ip[2:8] + ip[9:10] + ip[12:]
    return bytes((ip[0] & ~_DSCP6, ip[1] & _REST6)) + ip[2:7] + ip[8:]
