"""Reads the heads of plain packets: IPv4 without options on Ethernet or Linux cooked, with at most two VLAN tags.

The heads of a run are read in one go, assuming that every packet has as many tags as the first; for each packet the
bytes between the MAC and the IP length (`Links`) show whether that was right.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import chain, repeat
from struct import Struct as Layout

from sipaudit.capture.link import VLAN_TAGS
from sipaudit.capture.linktypes import ETHERNET, LINUX_SLL
from sipaudit.capture.packet import Run

PLAIN_LINKS = {ETHERNET: 14, LINUX_SLL: 16}  # link types read here, and the bytes of their headers without tags
COOKED_ETHERNET = b"\x00\x01\x00\x06"  # ARPHRD_ETHER with a 6 byte address

_TAGS = 2  # VLAN tags skipped, at most
_VLAN = frozenset(number.to_bytes(2, "big") for number in VLAN_TAGS)
_IP4 = frozenset(b"\x08\x00\x45" + bytes((dscp << 2,)) for dscp in range(64))  # without options and ECN
_LINKS = 4096  # entries of `Links.known`: the number of possible VLANs

Head = tuple[bytes, bytes, int, int, int, bytes, int, bytes]
"""Sender's MAC; VLAN tags, EtherType and IP header up to DSCP; total length; identification, flags and fragment offset;
protocol; addresses and ports; length and checksum (UDP) or sequence number (TCP); beginning of the payload (UDP)."""
_HEADS = {
    link_type: [Layout(f">6x6s{header - 14}x{4 * tags + 4}sHIxBxx12sI14s") for tags in range(_TAGS + 1)]
    for link_type, header in PLAIN_LINKS.items()
}
_NO_HEAD: Head = (b"", b"", 0, 0, 0, b"", 0, b"")


class Links:
    """`known`: the byte strings found between the MAC and the IP length of plain packets; grows as new ones are met."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known = set(_IP4)

    def head(self, run: Run, start: int) -> tuple[int, Head]:
        """The offset of a packet's IP header, and its head, by the tags that it really has; an empty head if the packet
        is not plain. The tags are remembered: in a capture of one VLAN all packets have the same."""
        at, buffer = start + PLAIN_LINKS.get(run.link_type, 0), run.buffer
        tags = tags_at(buffer, at)
        layout = _HEADS[run.link_type][tags] if run.link_type in PLAIN_LINKS else None
        if layout is None or start + layout.size > len(buffer):
            return at, _NO_HEAD
        head = layout.unpack_from(buffer, start)
        if head[1][-4:] not in _IP4:
            return at, _NO_HEAD
        if len(self.known) < _LINKS:
            self.known.add(head[1])
        return at + 4 * tags, head


def heads(run: Run, tags: int) -> Iterator[Head]:
    """The head of each packet, assuming `tags` VLAN tags; empty at the end of the buffer if bytes are missing."""
    if run.link_type not in PLAIN_LINKS:
        return repeat(_NO_HEAD)
    layout = _HEADS[run.link_type][tags]
    readable = run.offsets[: bisect_right(run.offsets, len(run.buffer) - layout.size)]
    return chain(map(layout.unpack_from, repeat(run.buffer), readable), repeat(_NO_HEAD))


def usual_tags(run: Run) -> int:
    """How many VLAN tags the first packet of a run has; in most captures all packets have the same number."""
    at = PLAIN_LINKS.get(run.link_type)
    return 0 if at is None or not run else tags_at(run.buffer, run.offsets[0] + at)


def tags_at(data: bytes, at: int) -> int:
    """How many VLAN tags, at most two, precede the IP header, which begins at `at` if there are none."""
    for tags in range(_TAGS):
        if data[at + 4 * tags - 2 : at + 4 * tags] not in _VLAN:
            return tags
    return _TAGS
