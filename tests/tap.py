"""Packets of phones and servers that pass the tap, and what may go wrong with a capture of them. Times are seconds
after `tests.wire.ORIGIN`."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import dns.message
import dns.rrset

from sipaudit.capture.write import (
    TCP_ACK,
    TCP_PSH,
    TCP_RST,
    TCP_SYN,
    Endpoint,
    ethernet_frame,
    icmp_unreachable_packet,
    ip_packet,
    tcp_packet,
    udp_packet,
)
from tests.frames import Timed
from tests.segment import advertisement, arp, solicitation
from tests.wire import ORIGIN

RESOLVER = ("10.0.0.53", 53)
STRANGERS = (("10.8.0.1", 9999), ("10.8.0.2", 9999))
OWN_MAC, FAR_MAC = "020000000001", "0200000000fe"   # of all packets in stories; of a host that is never captured


@dataclass(frozen=True)
class Packet:
    """One frame, and `what` it is, by which a test selects it: `INVITE` or `200 INVITE` (empty if not SIP)."""

    time: float
    frame: bytes
    source: Endpoint
    destination: Endpoint
    what: str = ""


@dataclass
class Story:
    """The packets that pass the tap. `vlans` and `mtu` (bytes of payload of an IP fragment) apply to all packets."""

    packets: list[Packet] = field(default_factory=list)
    vlans: tuple[int, ...] = ()
    mtu: int = 0
    count: int = 0
    branches: int = 0
    sequences: dict[tuple[Endpoint, Endpoint], int] = field(default_factory=dict)
    snaplen: int | None = None   # bytes of each frame that are captured
    ordered: bool = False     # packets keep the order in which they were added, whatever their times

    def put(self, time: float, packet: bytes, source: Endpoint, destination: Endpoint, what: str = "") -> None:
        for piece in _fragments(packet, self.mtu) if self.mtu else (packet,):
            frame = ethernet_frame(piece, vlans=self.vlans)
            self.packets.append(Packet(time, frame, source, destination, what))

    def udp(self, time: float, source: Endpoint, destination: Endpoint, payload: bytes, what: str = "") -> bytes:
        """Add one datagram. Returns its IP packet, for an ICMP error to quote."""
        self.count = self.count % 65_000 + 1
        packet = udp_packet(source, destination, payload, identification=self.count)
        self.put(time, packet, source, destination, what)
        return packet

    def tcp(self, time: float, source: Endpoint, destination: Endpoint, payload: bytes, what: str = "") -> None:
        """Add one message on the TCP connection between these two ends, which is opened 3 ms earlier if there is
        none."""
        if (source, destination) not in self.sequences:
            self.syn(time - 0.003, source, destination)
            self._segment(time - 0.002, destination, source, TCP_SYN | TCP_ACK)
            self._segment(time - 0.001, source, destination, TCP_ACK)
        self._segment(time, source, destination, TCP_PSH | TCP_ACK, payload, what)

    def unread(self, time: float, client: Endpoint, server: Endpoint) -> None:
        """A TLS session that cannot be decrypted: nobody has its keys."""
        hello = bytes.fromhex("160301002f0100002b0303") + bytes(32) + bytes.fromhex("00000213010100") + bytes(2)
        sealed = bytes.fromhex("1703030040") + bytes(64)
        self.tcp(time, client, server, hello)
        self.tcp(time + 0.01, server, client, bytes.fromhex("160303000402000000") + sealed)
        for later in (0.02, 0.03):
            self.tcp(time + later, client, server, sealed)
            self.tcp(time + later + 0.005, server, client, sealed)

    def syn(self, time: float, source: Endpoint, destination: Endpoint) -> None:
        self.sequences[source, destination] = 1000 + 7 * len(self.sequences)
        self.sequences[destination, source] = 5000 + 7 * len(self.sequences)
        self._segment(time, source, destination, TCP_SYN)

    def reset(self, time: float, source: Endpoint, destination: Endpoint) -> None:
        """`source` refuses or resets the connection; the next message opens another."""
        self._segment(time, source, destination, TCP_RST | TCP_ACK)
        del self.sequences[source, destination], self.sequences[destination, source]

    def _segment(self, time: float, source: Endpoint, destination: Endpoint, flags: int, payload: bytes = b"",
                 what: str = "") -> None:
        way, back = (source, destination), (destination, source)
        acknowledged = self.sequences[back] if flags & TCP_ACK else 0
        packet = tcp_packet(source, destination, payload, sequence=self.sequences[way], acknowledgement=acknowledged,
                            flags=flags)
        self.put(time, packet, source, destination, what)
        self.sequences[way] += len(payload) + bool(flags & TCP_SYN)

    def unreachable(self, time: float, quoted: bytes, source: Endpoint, destination: Endpoint) -> None:
        """ICMP: `destination`, which sent `quoted`, is told that `source` cannot be reached."""
        self.put(time, icmp_unreachable_packet(source[0], quoted), source, destination, "icmp")

    def seek(self, time: float, host: str, target: str, *, mac: str = OWN_MAC, answered: bool = False) -> None:
        """`host` asks its segment for `target`'s hardware address; three times where nobody answers."""
        version6 = ":" in target
        for second in range(1 if answered else 3):
            asked = solicitation(host, target, mac) if version6 else arp(1, mac, host, target)
            self.packets.append(Packet(time + second, asked, (host, 0), (target, 0), "seek"))
        if answered:
            told = advertisement(target, host, FAR_MAC) if version6 else arp(2, FAR_MAC, target, host)
            self.packets.append(Packet(time + 0.001, told, (target, 0), (host, 0), "seek"))

    def lookup(self, time: float, client: Endpoint, name: str, kind: str, *records: str, transport: str = "udp",
               rcode: int = 0, answered: bool = True) -> None:
        """A DNS query and, a millisecond later, its answer; records are zone file lines: `name ttl IN A address`."""
        query = dns.message.make_query(name, kind, id=self.count)
        answer = dns.message.make_response(query)
        answer.set_rcode(dns.rcode.Rcode(rcode))
        for owner, ttl, _, type_, *data in (record.split() for record in records):
            answer.answer.append(dns.rrset.from_text(owner, int(ttl), "IN", type_, " ".join(data)))
        for after, way, message in ((0.0, ((client[0], 40_053), RESOLVER), query.to_wire()),
                                    (0.001, (RESOLVER, (client[0], 40_053)), answer.to_wire()))[:1 + answered]:
            if transport == "udp":
                self.udp(time + after, *way, message)
            else:
                self.tcp(time + after, *way, len(message).to_bytes(2, "big") + message)

    def murmur(self, start: float, end: float) -> None:
        """Unrelated packets, one every second, so that the capture shows that time passes."""
        for second in range(int(start), int(end)):
            self.udp(second + 0.5, *STRANGERS, b"\x80stray")

    def media(self, start: float, end: float, source: Endpoint, destination: Endpoint, *, first: int = 0) -> None:
        """RTP, fifty packets a second, with sequence numbers from `first` on (RFC 3550 5.1)."""
        for number in range(round((end - start) * 50)):
            counters = struct.pack(">HI", (first + number) % 65_536, 160 * number)
            self.udp(start + number / 50, source, destination, b"\x80\x08" + counters + b"talk" + bytes(160))

    # -- defects of a capture

    def frames(self) -> list[Timed]:
        """The frames in the order of the capture: sorted by time, unless the story is `ordered`."""
        packets = self.packets if self.ordered else sorted(self.packets, key=lambda packet: packet.time)
        return [(ORIGIN + packet.time, packet.frame) for packet in packets]

    def without(self, lost: Callable[[Packet], bool]) -> Story:
        """The story as captured by a tap that misses the packets for which `lost` is true."""
        return replace(self, packets=[packet for packet in self.packets if not lost(packet)])

    def thinned(self, share: float, seed: int) -> Story:
        """The story with this share of its packets removed at random."""
        chance = random.Random(seed)
        return self.without(lambda _: chance.random() < share)

    def retimed(self, clock: Callable[[float], float]) -> Story:
        """The story with times by another clock, the packets in their old order."""
        ordered = sorted(self.packets, key=lambda packet: packet.time)
        return replace(self, packets=[replace(packet, time=clock(packet.time)) for packet in ordered], ordered=True)


def _fragments(packet: bytes, mtu: int) -> Iterable[bytes]:
    """An IPv4 packet without options in fragments (RFC 791 3.2)."""
    body, number = packet[20:], int.from_bytes(packet[4:6], "big")
    source, destination = (".".join(map(str, packet[start : start + 4])) for start in (12, 16))
    step = mtu // 8 * 8
    for start in range(0, len(body), step):
        more = 0x2000 if start + step < len(body) else 0
        yield ip_packet(source, destination, packet[9], body[start : start + step], identification=number,
                        fragment=more | start // 8)
