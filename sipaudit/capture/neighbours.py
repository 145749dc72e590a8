"""What a host asks its segment before it can send: the hardware address of who shall have the packet.

Where phone and server share a segment and the server is dead, nothing else is to be seen of an attempt to reach it: no
packet leaves without an answer. Told is of those that are asked for again, since behind an answer comes the packet.
"""

from __future__ import annotations

from sipaudit.capture.flows import host
from sipaudit.capture.ip import IpPacket
from sipaudit.capture.layers import Solicitation
from sipaudit.sip.datagram import Item, Sought
from sipaudit.turned_away import turned_away

ASKED_NEXT = 0.4  # seconds from the first to the next that is no mirror's copy; hosts ask again after one
RUN = 10.0        # seconds between two that belong to one attempt
ATTEMPTS_KEPT = 10_000     # attempts that may be in vain

_IP_OVER = b"\x08\x00"
_REQUEST, _REPLY = 1, 2                        # of ARP
_SOLICITATION, _ADVERTISEMENT = 135, 136       # of ICMPv6
_NOBODY = (b"\0" * 4, b"\0" * 16)


class Neighbours:
    """Who asks for whom without an answer."""

    def __init__(self) -> None:
        self._asked: dict[bytes, tuple[float, float]] = {}   # when first, and when last

    def take(self, said: Solicitation, time: float, capture: int, frame: int) -> list[Item]:
        """A question or an answer; an item where a question is asked again in vain."""
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
        """The one that was asked for longest ago goes; it counts if its asker may ask again."""
        oldest = next(iter(self._asked))
        if 0 <= now - self._asked.pop(oldest)[1] <= RUN:
            turned_away("neighbours")


def of_arp(data: bytes) -> Solicitation | None:
    """What an ARP packet asks or answers (RFC 826); None where it only makes somebody known (RFC 5227)."""
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
    """What a packet of neighbour discovery asks or answers (RFC 4861 4.3, 4.4); None for other ICMP."""
    message = packet.payload
    if len(packet.source) != 16 or len(message) < 24 or message[0] not in (_SOLICITATION, _ADVERTISEMENT):
        return None
    if message[0] == _ADVERTISEMENT:
        return Solicitation(packet.destination, message[8:24], answers=True)
    return None if packet.source in _NOBODY else Solicitation(packet.source, message[8:24], answers=False, mac=mac)
