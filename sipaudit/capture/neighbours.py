"""ARP and neighbour discovery: requests for the hardware address of a destination, which precede the first packet.

If phone and server share a segment and the server is dead, nothing else of an attempt to reach it can be captured: no
packet is sent until the address is answered. Only repeated requests become items: after an answer the packet follows.
"""

from __future__ import annotations

from sipaudit.capture.flows import host
from sipaudit.capture.ip import IpPacket
from sipaudit.capture.layers import Solicitation
from sipaudit.sip.datagram import Item, Sought
from sipaudit.turned_away import turned_away

ASKED_NEXT = 0.4  # seconds after the first request; an earlier one may be a mirror's copy; hosts repeat after a second
RUN = 10.0        # seconds at most between two requests of one attempt
ATTEMPTS_KEPT = 10_000     # unanswered attempts

_IP_OVER = b"\x08\x00"
_REQUEST, _REPLY = 1, 2                        # of ARP
_SOLICITATION, _ADVERTISEMENT = 135, 136       # of ICMPv6
_NOBODY = (b"\0" * 4, b"\0" * 16)


class Neighbours:
    """The unanswered address requests, by asker and target."""

    def __init__(self) -> None:
        self._asked: dict[bytes, tuple[float, float]] = {}   # times of the first and the latest request

    def take(self, said: Solicitation, time: float, capture: int, frame: int) -> list[Item]:
        """Take a request or an answer; gives an item if a request is repeated without having been answered."""
        pair = said.asker + said.target
        first, last = self._asked.pop(pair, (time, time))
        if said.answers:
            return []
        if not 0 <= time - last <= RUN:
            first = time
        if len(self._asked) >= ATTEMPTS_KEPT:
            self._make_room(time)
        self._asked[pair] = first, time
        if time - first < ASKED_NEXT:
            return []
        return [Sought(time, capture, frame, host(said.asker), host(said.target), said.mac.hex() or None)]

    def _make_room(self, now: float) -> None:
        """Drop the attempt with the oldest latest request; the loss is counted if its asker may still repeat it."""
        oldest = next(iter(self._asked))
        if 0 <= now - self._asked.pop(oldest)[1] <= RUN:
            turned_away("neighbours")


def of_arp(data: bytes) -> Solicitation | None:
    """The request or answer in an ARP packet (RFC 826); None for probes and announcements (RFC 5227)."""
    if len(data) < 8 or data[2:4] != _IP_OVER or data[5] != 4:
        return None
    size, kind = data[4], int.from_bytes(data[6:8], "big")
    if len(data) < 16 + 2 * size or kind not in (_REQUEST, _REPLY):
        return None
    mac, sender, target = data[8 : 8 + size], data[8 + size : 12 + size], data[12 + 2 * size : 16 + 2 * size]
    if sender == target or sender in _NOBODY:
        return None
    if kind == _REPLY:
        return Solicitation(target, sender, answers=True)
    return Solicitation(sender, target, answers=False, mac=mac)


def of_discovery(packet: IpPacket, mac: bytes) -> Solicitation | None:
    """The request or answer in a neighbour discovery packet (RFC 4861 4.3, 4.4); None for other ICMP."""
    message = packet.payload
    if len(packet.source) != 16 or len(message) < 24 or message[0] not in (_SOLICITATION, _ADVERTISEMENT):
        return None
    if message[0] == _ADVERTISEMENT:
        return Solicitation(packet.destination, message[8:24], answers=True)
    return None if packet.source in _NOBODY else Solicitation(packet.source, message[8:24], answers=False, mac=mac)
