"""Decodes captured packets to the items they carry about SIP.

There are two roads with the same result.  The short road, in `Decoder.run`, is one flat loop for the form of nearly all
SIP packets (IPv4 without options, unfragmented, UDP or TCP, on Ethernet or Linux cooked, at most two VLAN tags). It
decides nothing differently from the long road, and hands over whenever it is not sure.  The long road parses header
after header.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct as Layout

from sipaudit.capture.bounds import FOR_FILES, CaptureBounds
from sipaudit.capture.duplicates import MARK, OF_TCP, Key, udp_sighting
from sipaudit.capture.heads import COOKED_ETHERNET, PLAIN_LINKS, Links, heads, tags_at, usual_tags
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.ip import TCP, UDP
from sipaudit.capture.link import ETHERTYPE_IP
from sipaudit.capture.linktypes import LINUX_SLL
from sipaudit.capture.long_road import LongRoad
from sipaudit.capture.packet import Packet, Run
from sipaudit.capture.tcp import CONTROL
from sipaudit.capture.tcp_lifecycle import ACK, RST
from sipaudit.capture.transports import Transports
from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.framing import looks_like_sip, surely_sip

ADVANCE = 0.5  # seconds of capture time between two checks of stream deadlines, and between ageing of `duplicates`

_ETHERTYPES = tuple(number.to_bytes(2, "big") for number in ETHERTYPE_IP)
_FRAGMENT = 0xBFFF  # any of these bits means a fragment, or that the reserved flag is set; DF is not among them
_UDP_SHORTEST = 20 + 8 + 14  # headers, and the 14 bytes of the payload that are its `beginning`
_TCP_SHORTEST = 20 + 20
_NEITHER = -1  # not a protocol number: sends the packet down the long road
_TCP_OFFSET = 0x50  # the offset byte of a header without options
_TCP_HEADER = Layout(">28xIBBxxH").unpack_from  # from the IP header on: acknowledgment number, offset, flags, checksum
_BEGINNINGS = 4096  # payload beginnings remembered: responses have few, but those of requests include part of the URI


class Decoder:
    """Turns packets into items, and counts in `health[capture]` whatever yields none.

    Packets must come in the order in which they are to be understood; `capture` is the index of a packet's capture.
    `streams` knows which TCP connections only tshark can read.
    """

    __slots__ = ("_beginnings", "_duplicates", "_flows", "_health", "_links", "_long_road", "_since", "_turned",
                 "_until", "streams")

    def __init__(self, health: Sequence[CaptureHealth], bounds: CaptureBounds = FOR_FILES) -> None:
        self._health = health
        transports = Transports(health, bounds)
        self._flows = transports.flows
        self._duplicates = transports.duplicates
        self._long_road = LongRoad(health, transports, bounds)
        self.streams = transports.streams
        self._since = self._until = 0.0  # range of capture time in which stream deadlines need not be checked
        self._turned = 0.0  # capture time at which `duplicates` was last aged
        self._beginnings: set[bytes] = set()  # payload beginnings that are SIP, whatever follows
        self._links = Links()

    def decode(self, packet: Packet, capture: int) -> list[Item]:
        """The items that one packet completes: none, one message, or several."""
        time, frame, link_type, data, wire_length = packet
        return self.run(Run(data, link_type, [time], [frame], [0], [len(data)], wire_length), capture)

    def run(self, run: Run, capture: int) -> list[Item]:
        """The items that the packets of a run complete, in order.

        This is one loop on purpose: a function call or an object per packet would cost more than the work itself. So
        the tables that each packet needs are held in locals; those that a call may have replaced are fetched again.
        """
        buffer, link_type = run.buffer, run.link_type
        tags = usual_tags(run)
        header, is_cooked = PLAIN_LINKS.get(link_type, 0) + 4 * tags, link_type == LINUX_SLL
        streams, duplicates, flows, health = self.streams, self._duplicates, self._flows, self._health[capture]
        links, beginnings = self._links.known, self._beginnings
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
            run.times, run.frames, run.offsets, run.lengths, heads(run, tags), strict=False
        ):
            # -- stream deadlines that passed before this packet
            if time >= until or time < since:
                since, until = self._since, self._until = time - ADVANCE, time + ADVANCE
                if followed:
                    items += streams.advance(time)

            # -- where the IP packet begins and ends, and whether it is a plain one
            at = start + header
            if link not in links:
                at, (mac, link, total, mark, protocol, ends, first, beginning) = self._links.head(run, start)
            end = at + total
            if mark & _FRAGMENT or end > start + length or (
                is_cooked and buffer[start + 2 : start + 6] != COOKED_ETHERNET
            ):
                protocol = _NEITHER

            # -- UDP with a SIP message: accepted, unless the same packet was captured a moment ago
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
                tagged = mac + link[:-4]
                flow = young.get(ends + tagged) or flows.get("udp", ends[:8], ends[8:], tagged)
                item = recent[key] = Datagram(time, capture, frame, flow, payload)
                if opening:
                    items += streams.turned(flow, payload, time)
                add(item)
                continue

            # -- TCP: `streams` handles the segment, by their short road if nothing about it is special
            said = None
            if protocol == TCP and total >= _TCP_SHORTEST:
                ack, offset, flags, check = _TCP_HEADER(buffer, at)
                body = at + 20 + (offset >> 2 & 60)
                if offset >= _TCP_OFFSET and body <= end:
                    payload = buffer[body:end]
                    if not flags & RST:  # RST is not checked for duplicates: see Transports
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
                    tagged = mac + link[:-4]
                    flow = young.get(ends + tagged + b"tcp") or flows.get("tcp", ends[:8], ends[8:], tagged)
                    if flags & CONTROL == ACK:
                        said = calm(time, capture, frame, flow, first, ack, payload)
                        if said is not None:
                            items += said
                            continue
                    said = streams.not_calm(time, capture, frame, flow, first, ack, flags, payload, False)

            # -- everything else: the long road. It may replace the tables of duplicates and flows, as a segment may
            if said is None:
                packet = time, frame, link_type, buffer[start : start + length], run.wire_length
                said = self._otherwise(packet, capture)
            items += said
            recent, older, young = duplicates.recent, duplicates.older, flows.young
        if segments:
            health.content["tcp"] += segments
        return items

    def tighten(self, bounds: CaptureBounds) -> None:
        """Apply other bounds from now on."""
        self._flows.limit = bounds.flows
        self._duplicates.bound = bounds.duplicates
        self.streams.tighten(bounds.streams, bounds.stream_bytes)
        self._long_road.fragments.bounds = bounds

    @property
    def evicted(self) -> dict[str, int]:
        """How much the bounds evicted, by kind; the health's `undecoded` counts fragments, and streams of SIP."""
        return {"streams": self.streams.evicted} if self.streams.evicted else {}

    @property
    def open(self) -> dict[str, int]:
        """How much is stored now, by kind."""
        return {"streams": len(self.streams), "stream-bytes": self.streams.held,
                "fragments": len(self._long_road.fragments), "flows": len(self._flows)}

    def finish(self) -> list[Item]:
        """To be called when the captures have ended: the items that streams still hold; counts incomplete fragments."""
        self._long_road.finish()
        return self.streams.finish()

    def _otherwise(self, packet: Packet, capture: int) -> list[Item]:
        """Take the long road; it starts at the IP header if the link headers are ones that the short road knows."""
        _, _, link_type, data, _ = packet
        at = PLAIN_LINKS.get(link_type)
        if at is None or (link_type == LINUX_SLL and data[2:6] != COOKED_ETHERNET):
            return self._long_road.items(packet, capture)
        begin, at = at, at + 4 * tags_at(data, at)
        if data[at - 2 : at] not in _ETHERTYPES:
            return self._long_road.items(packet, capture)
        return self._long_road.items_of_ip(packet, capture, at, data[6:12], data[begin - 2 : at - 2])

    def _is_message(self, beginning: bytes, payload: bytes) -> bool:
        if not surely_sip(beginning):
            return looks_like_sip(payload)
        if len(self._beginnings) < _BEGINNINGS:
            self._beginnings.add(beginning)
        return True

