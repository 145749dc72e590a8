"""From captured packets to what they say about SIP.

There are two roads to the same place.  The short one, in `Decoder.run`, is flat, for what nearly every SIP packet is
(IPv4 without options, whole, UDP or TCP, on Ethernet or Linux cooked, at most two VLAN tags); it decides nothing that
the other would decide differently, and hands over whenever it is not sure.  The long one peels header after header.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from struct import Struct as Layout

from sipaudit.capture.bounds import FOR_FILES, CaptureBounds
from sipaudit.capture.duplicates import MARK, OF_TCP, Key, udp_sighting
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.ip import TCP, UDP
from sipaudit.capture.link import ETHERTYPE_IP, VLAN_TAGS
from sipaudit.capture.linktypes import ETHERNET, LINUX_SLL
from sipaudit.capture.long_road import LongRoad
from sipaudit.capture.packet import Packet, Run
from sipaudit.capture.tcp import CONTROL
from sipaudit.capture.tcp_lifecycle import ACK, RST
from sipaudit.capture.transports import Transports
from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.framing import looks_like_sip, surely_sip

ADVANCE = 0.5  # seconds of capture time between two looks at the deadlines of streams, and at what may be a duplicate

_ROADS = {ETHERNET: 14, LINUX_SLL: 16}  # link types of the short road, and how long their headers are without tags
_TAGS = 2  # VLAN tags that the short road knows how to pass
_VLAN = frozenset(number.to_bytes(2, "big") for number in VLAN_TAGS)
_ETHERTYPES = tuple(number.to_bytes(2, "big") for number in ETHERTYPE_IP)
_COOKED_ETHERNET = b"\x00\x01\x00\x06"  # ARPHRD_ETHER with a 6 byte address

Head = tuple[bytes, bytes, int, int, int, bytes, int, bytes]
"""Sender's MAC; VLAN tags, EtherType and IP up to DSCP; total length; identification, flags and place of a fragment;
protocol; addresses and ports; of UDP length and checksum, of TCP the sequence number; of UDP the beginning of the
payload."""
_HEADS = {
    link_type: [Layout(f">6x6s{header - 14}x{4 * tags + 4}sHIxBxx12sI14s") for tags in range(_TAGS + 1)]
    for link_type, header in _ROADS.items()
}
_NO_HEAD: Head = (b"", b"", 0, 0, 0, b"", 0, b"")
_IP4 = frozenset(b"\x08\x00\x45" + bytes((dscp << 2,)) for dscp in range(64))  # without options and ECN
_FRAGMENT = 0xBFFF  # any of these bits tells of a fragment, or of a flag that is none: DF is not among them
_UDP_SHORTEST = 20 + 8 + 14  # the beginning of the payload is part of it
_TCP_SHORTEST = 20 + 20
_NEITHER = -1  # a protocol that is none: the packet takes the long road
_TCP_OFFSET = 0x50  # the offset byte of a header without options
_TCP_HEADER = Layout(">28xIBBxxH").unpack_from  # from IP on: what is acknowledged, offset, flags, checksum
_LINKS = 4096  # as many VLANs as there are
_BEGINNINGS = 4096  # beginnings remembered: few for responses, but a request's has some of its URI


class Decoder:
    """Turns packets into items, and counts in `health[capture]` whatever gives none.

    Packets come in the order in which they are to be understood; `capture` says which capture each is from.
    `streams` knows which TCP connections only tshark can read.
    """

    def __init__(self, health: Sequence[CaptureHealth], bounds: CaptureBounds = FOR_FILES) -> None:
        self._health = health
        transports = Transports(health, bounds)
        self._flows = transports.flows
        self._duplicates = transports.duplicates
        self._long_road = LongRoad(health, transports, bounds)
        self.streams = transports.streams
        self._since = self._until = 0.0  # the capture time in which no deadline of a stream is looked at
        self._turned = 0.0  # the capture time at which was last looked at what may be a duplicate
        self._beginnings: set[bytes] = set()  # of payloads that are SIP, whatever follows
        self._links = set(_IP4)  # what stands between the MAC and the length of plain packets

    def decode(self, packet: Packet, capture: int) -> list[Item]:
        """What one packet completes: nothing, one message, or several items."""
        time, frame, link_type, data, wire_length = packet
        return self.run(Run(data, link_type, [time], [frame], [0], [len(data)], wire_length), capture)

    def run(self, run: Run, capture: int) -> list[Item]:
        """What packets complete, one after the other.

        One loop on purpose: a function called for each packet, or an object made for it, would be dearer than its work.
        """
        buffer, link_type = run.buffer, run.link_type
        tags = _usual_tags(run)
        header, is_cooked = _ROADS.get(link_type, 0) + 4 * tags, link_type == LINUX_SLL
        streams, duplicates, flows, health = self.streams, self._duplicates, self._flows, self._health[capture]
        links, beginnings = self._links, self._beginnings
        since, until, bound = self._since, self._until, duplicates.bound
        if run and not self._turned <= run.times[0] < self._turned + ADVANCE:
            self._turned = run.times[0]
            duplicates.pass_time()
        recent, older, young = duplicates.recent, duplicates.older, flows.young
        opening, followed, calm = streams.opening, streams.followed, streams.calm.take
        items: list[Item] = []
        add = items.append
        segments = 0
        for time, frame, start, length, (mac, link, total, mark, protocol, ends, first, beginning) in zip(
            run.times, run.frames, run.offsets, run.lengths, _heads(run, tags), strict=False
        ):
            if time >= until or time < since:
                since, until = self._since, self._until = time - ADVANCE, time + ADVANCE
                if followed:
                    items += streams.advance(time)
            at = start + header
            if link not in links:
                at, (mac, _, total, mark, protocol, ends, first, beginning) = self._head(run, start)
            end = at + total
            if mark & _FRAGMENT or end > start + length or (
                is_cooked and buffer[start + 2 : start + 6] != _COOKED_ETHERNET
            ):
                protocol = _NEITHER

            if (
                protocol == UDP and first >> 16 == total - 20 and total >= _UDP_SHORTEST
                and (beginning in beginnings or self._is_message(beginning, buffer[at + 28 : end]))
            ):
                payload = buffer[at + 28 : end]
                key: Key = mark << MARK | first
                if key in recent or key in older or len(recent) >= bound:
                    place = duplicates.place(key, udp_sighting(time, ends, payload))
                    if place is None:
                        health.duplicates += 1
                        continue
                    key, recent, older = place, duplicates.recent, duplicates.older
                flow = young.get(ends + mac) or flows.get("udp", ends[:8], ends[8:], mac)
                item = recent[key] = Datagram(time, capture, frame, flow, payload)
                if opening:
                    items += streams.turned(flow, payload, time)
                add(item)
                continue

            said = None
            if protocol == TCP and total >= _TCP_SHORTEST:
                ack, offset, flags, check = _TCP_HEADER(buffer, at)
                body = at + 20 + (offset >> 2 & 60)
                if offset >= _TCP_OFFSET and body <= end:
                    payload = buffer[body:end]
                    if not flags & RST:  # which are not looked for: see Transports
                        number = OF_TCP | mark << MARK | first ^ check << 16
                        sighting = time, buffer[at + 12 : body], payload
                        if number in recent or number in older or len(recent) >= bound:
                            is_repeated = duplicates.repeated(number, sighting)
                            recent, older = duplicates.recent, duplicates.older
                            if is_repeated:
                                health.duplicates += 1
                                continue
                        else:
                            recent[number] = sighting
                    segments += 1
                    flow = young.get(ends + mac + b"tcp") or flows.get("tcp", ends[:8], ends[8:], mac)
                    if flags & CONTROL == ACK:
                        said = calm(time, capture, frame, flow, first, ack, payload)
                        if said is not None:
                            items += said
                            continue
                    said = streams.not_calm(time, capture, frame, flow, first, ack, flags, payload, False)

            if said is None:
                packet = time, frame, link_type, buffer[start : start + length], run.wire_length
                said = self._otherwise(packet, capture)
            items += said
            recent, older, young = duplicates.recent, duplicates.older, flows.young
        if segments:
            health.content["tcp"] += segments
        return items

    def tighten(self, bounds: CaptureBounds) -> None:
        """Other bounds from now on."""
        self._flows.limit = bounds.flows
        self._duplicates.bound = bounds.duplicates
        self.streams.tighten(bounds.streams, bounds.stream_bytes)
        self._long_road.fragments.bounds = bounds

    @property
    def evicted(self) -> dict[str, int]:
        """What the bounds pushed out, by kind; `undecoded` of the health counts fragments, and streams of SIP."""
        return {"streams": self.streams.evicted} if self.streams.evicted else {}

    @property
    def open(self) -> dict[str, int]:
        """How much is remembered now, by kind."""
        return {"streams": len(self.streams), "stream-bytes": self.streams.held,
                "fragments": len(self._long_road.fragments), "flows": len(self._flows)}

    def finish(self) -> list[Item]:
        """The captures have ended: what streams still hold; incomplete fragments are counted."""
        self._long_road.finish()
        return self.streams.finish()

    def _head(self, run: Run, start: int) -> tuple[int, Head]:
        """The head of a packet by the tags that it has itself, and where its IP header begins; no head where the packet
        is not plain. The tags are remembered: in a capture of one VLAN all packets have the same."""
        at, buffer = start + _ROADS.get(run.link_type, 0), run.buffer
        tags = _tags(buffer, at)
        layout = _HEADS[run.link_type][tags] if run.link_type in _ROADS else None
        if layout is None or start + layout.size > len(buffer):
            return at, _NO_HEAD
        head = layout.unpack_from(buffer, start)
        if head[1][-4:] not in _IP4:
            return at, _NO_HEAD
        if len(self._links) < _LINKS:
            self._links.add(head[1])
        return at + 4 * tags, head

    def _otherwise(self, packet: Packet, capture: int) -> list[Item]:
        """The long road, from behind the link headers of the short one where those are what it knows."""
        _, _, link_type, data, _ = packet
        at = _ROADS.get(link_type)
        if at is None or (link_type == LINUX_SLL and data[2:6] != _COOKED_ETHERNET):
            return self._long_road.items(packet, capture)
        at += 4 * _tags(data, at)
        if data[at - 2 : at] not in _ETHERTYPES:
            return self._long_road.items(packet, capture)
        return self._long_road.items_of_ip(packet, capture, at, data[6:12])

    def _is_message(self, beginning: bytes, payload: bytes) -> bool:
        if not surely_sip(beginning):
            return looks_like_sip(payload)
        if len(self._beginnings) < _BEGINNINGS:
            self._beginnings.add(beginning)
        return True


def _heads(run: Run, tags: int) -> Iterator[Head]:
    """What the short road looks at of each packet with so many tags; nothing at the end of the buffer, where bytes are
    missing."""
    if run.link_type not in _ROADS:
        return repeat(_NO_HEAD)
    head = _HEADS[run.link_type][tags]
    readable = run.offsets[: bisect_right(run.offsets, len(run.buffer) - head.size)]
    return chain(map(head.unpack_from, repeat(run.buffer), readable), repeat(_NO_HEAD))


def _usual_tags(run: Run) -> int:
    """How many VLAN tags packets of this run have; in most captures all have as many."""
    at = _ROADS.get(run.link_type)
    return 0 if at is None or not run else _tags(run.buffer, run.offsets[0] + at)


def _tags(data: bytes, at: int) -> int:
    """How many VLAN tags stand before what begins at `at` without them; two are looked for."""
    for tags in range(_TAGS):
        if data[at + 4 * tags - 2 : at + 4 * tags] not in _VLAN:
            return tags
    return _TAGS
