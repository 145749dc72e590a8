"""From captured packets to what they say about SIP.

There are two roads to the same place.  The short one, in `Decoder.run`, is flat, for what nearly every SIP packet is
(IPv4 without options, whole, UDP or TCP, on Ethernet or Linux cooked, at most two VLAN tags); it decides nothing that
the other would decide differently, and hands over whenever it is not sure.  The long one peels header after header.
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

ADVANCE = 0.5  # seconds of capture time between two looks at the deadlines of streams, and at what may be a duplicate

_ETHERTYPES = tuple(number.to_bytes(2, "big") for number in ETHERTYPE_IP)
_FRAGMENT = 0xBFFF  # any of these bits tells of a fragment, or of a flag that is none: DF is not among them
_UDP_SHORTEST = 20 + 8 + 14  # the beginning of the payload is part of it
_TCP_SHORTEST = 20 + 20
_NEITHER = -1  # a protocol that is none: the packet takes the long road
_TCP_OFFSET = 0x50  # the offset byte of a header without options
_TCP_HEADER = Layout(">28xIBBxxH").unpack_from  # from IP on: what is acknowledged, offset, flags, checksum
_BEGINNINGS = 4096  # beginnings remembered: few for responses, but a request's has some of its URI


class Decoder:
    """Turns packets into items, and counts in `health[capture]` whatever gives none.

    Packets come in the order in which they are to be understood; `capture` says which capture each is from.
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
        self._since = self._until = 0.0  # the capture time in which no deadline of a stream is looked at
        self._turned = 0.0  # the capture time at which was last looked at what may be a duplicate
        self._beginnings: set[bytes] = set()  # of payloads that are SIP, whatever follows
        self._links = Links()

    def decode(self, packet: Packet, capture: int) -> list[Item]:
        """What one packet completes: nothing, one message, or several items."""
        time, frame, link_type, data, wire_length = packet
        return self.run(Run(data, link_type, [time], [frame], [0], [len(data)], wire_length), capture)

    def run(self, run: Run, capture: int) -> list[Item]:
        """What packets complete, one after the other.

        One loop on purpose: a function called for each packet, or an object made for it, would be dearer than its work.
        So what is asked of each lies in locals; what others may put in another's place meanwhile is fetched again.
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
            # -- deadlines that are over before this packet
            if time >= until or time < since:
                since, until = self._since, self._until = time - ADVANCE, time + ADVANCE
                if followed:
                    items += streams.advance(time)

            # -- where its IP packet begins and ends, and whether it is a plain one
            at = start + header
            if link not in links:
                at, (mac, link, total, mark, protocol, ends, first, beginning) = self._links.head(run, start)
            end = at + total
            if mark & _FRAGMENT or end > start + length or (
                is_cooked and buffer[start + 2 : start + 6] != COOKED_ETHERNET
            ):
                protocol = _NEITHER

            # -- UDP with a SIP message: taken, unless the same packet was captured a moment ago
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

            # -- TCP: a segment by the streams, in short if nothing about it is special
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
                    tagged = mac + link[:-4]
                    flow = young.get(ends + tagged + b"tcp") or flows.get("tcp", ends[:8], ends[8:], tagged)
                    if flags & CONTROL == ACK:
                        said = calm(time, capture, frame, flow, first, ack, payload)
                        if said is not None:
                            items += said
                            continue
                    said = streams.not_calm(time, capture, frame, flow, first, ack, flags, payload, False)

            # -- all else: the long road, which may turn the tables of duplicates and flows over, as a segment may
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

    def _otherwise(self, packet: Packet, capture: int) -> list[Item]:
        """The long road, from behind the link headers of the short one where those are what it knows."""
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

