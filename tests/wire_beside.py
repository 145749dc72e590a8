"""What a scenario says other than SIP, as packets: connections, transport failures, name lookups, a phone's start."""

from __future__ import annotations

from socket import inet_aton

import dns.message
import dns.rcode
import dns.rrset

from sipaudit.capture.write import (
    TCP_ACK,
    TCP_FIN,
    TCP_PSH,
    TCP_RST,
    TCP_SYN,
    ethernet_frame,
    icmp_unreachable_packet,
    tcp_packet,
    udp_packet,
)
from sipaudit.model.events import Contacted, ContactKind, EntryChanged, Failed, FailureKind
from tests.segment import REQUEST, arp

MAC = "0004f2aabbcc"
BROADCAST = ("255.255.255.255", 67)
DHCP_SERVER, TFTP_SERVER = ("10.0.0.67", 67), ("10.0.0.80", 69)
RESOLVER = ("10.0.0.53", 53)
CLIENT_HELLO = b"\x16\x03\x01\x00\x2c\x01\x00\x00\x28\x03\x03" + bytes(38)
FATAL_ALERT = b"\x15\x03\x03\x00\x02\x02\x28"  # handshake_failure (RFC 8446 6.2)
MOMENT = 0.0001


def dhcp(operation: int, kind: int, *, has: str = "0.0.0.0", given: str = "0.0.0.0", mac: str = MAC) -> bytes:
    """A DHCP message (RFC 2131 2): `operation` 1 asks, 2 answers; `kind` 1 is DISCOVER, 3 REQUEST, 5 ACK."""
    head = bytes((operation, 1, 6, 0)) + bytes(8) + inet_aton(has) + inet_aton(given) + bytes(8)
    return head + bytes.fromhex(mac) + bytes(202) + b"\x63\x82\x53\x63" + bytes((53, 1, kind, 255))


def tftp(name: str) -> bytes:
    """A read request (RFC 1350 5)."""
    return b"\0\1" + name.encode() + b"\0octet\0"


class NoWireFormError(Exception):
    """The scenario contains something that no packet shows."""


def server_name(address: str) -> str:
    """The server's name in the site file and in DNS."""
    return f"s{address.rpartition('.')[2]}.sbc.example.com"


class Beside:
    """Appends to `packets`. `quotable` is the last datagram to each server, `last` the host that was last sent a
    message; `names` whether the site file must give servers names."""

    def __init__(self, packets: list[tuple[float, bytes]], phone: str) -> None:
        self.packets = packets
        self.phone = phone
        self.quotable: dict[str, bytes] = {}
        self.last = "10.0.0.1"
        self.names = False
        self.servers: dict[str, int] = {}
        self.port = 49_152

    def put(self, time: float, packet: bytes) -> None:
        self.packets.append((time, ethernet_frame(packet)))

    # -- failures

    def failed(self, event: Failed) -> None:
        host, _, port = event.server.rpartition(":")
        match event.kind:
            case FailureKind.ICMP:
                self.put(event.time, icmp_unreachable_packet(host, self.quotable[event.server]))
            case FailureKind.REFUSED:
                self._segments(event.time, host, int(port), (True, TCP_SYN, b""), (False, TCP_RST | TCP_ACK, b""))
            case FailureKind.RESET:
                self._connect(event.time, host, int(port), (True, TCP_PSH | TCP_ACK, b"\r\n\r\n"),
                              (False, TCP_RST | TCP_ACK, b""))
            case FailureKind.TLS:
                self._connect(event.time, host, 5061, (True, TCP_PSH | TCP_ACK, CLIENT_HELLO),
                              (False, TCP_PSH | TCP_ACK, FATAL_ALERT))
            case FailureKind.DNS:
                self._lookup(event.time, host, dns.rcode.NXDOMAIN)

    # -- contacts

    def contacted(self, event: Contacted) -> None:
        host, _, port = event.server.rpartition(":")
        match event.kind:
            case ContactKind.SYN:
                self._connect(event.time, host, int(port))
            case ContactKind.CLOSED:
                self._connect(event.time, host, int(port), (True, TCP_FIN | TCP_ACK, b""))
            case ContactKind.DROPPED:
                self._connect(event.time, host, int(port), (False, TCP_FIN | TCP_ACK, b""))
            case ContactKind.SOUGHT:
                self._seek(event.time, host)
            case ContactKind.LOOKUP:
                self._lookup(event.time, host, None)

    def _seek(self, time: float, host: str) -> None:
        """The phone sends an ARP request for a server twice, and gets no reply."""
        self.packets += [(when, arp(REQUEST, MAC, self.phone, host)) for when in (time - 1.0, time)]

    def _connect(self, time: float, host: str, port: int, *then: tuple[bool, int, bytes]) -> None:
        """A connection that is accepted, and the segments that follow at once."""
        shaken = ((True, TCP_SYN, b""), (False, TCP_SYN | TCP_ACK, b""), (True, TCP_ACK, b""))
        self._segments(time, host, port, *shaken, *then)

    def _segments(self, time: float, host: str, port: int, *segments: tuple[bool, int, bytes]) -> None:
        """Segments of a new connection (from the phone?, flags, payload), the last of them at `time`."""
        self.port += 1
        phone, server = (self.phone, self.port), (host, port)
        counts = {True: 1000, False: 5000}
        start = time - MOMENT * (len(segments) - 1)
        for number, (outward, flags, payload) in enumerate(segments):
            source, destination = (phone, server) if outward else (server, phone)
            acknowledged = counts[not outward] if flags & TCP_ACK else 0
            self.put(start + MOMENT * number, tcp_packet(
                source, destination, payload, sequence=counts[outward], acknowledgement=acknowledged, flags=flags))
            counts[outward] += len(payload) + bool(flags & (TCP_SYN | TCP_FIN))

    # -- names

    def _lookup(self, time: float, host: str, rcode: dns.rcode.Rcode | None) -> None:
        """A DNS query for the server's name; with `rcode`, also an answer with this code."""
        self.names = True
        query = dns.message.make_query(server_name(host), "A")
        self.put(time, udp_packet((self.phone, 40_001), RESOLVER, query.to_wire()))
        if rcode is not None:
            answer = dns.message.make_response(query)
            answer.set_rcode(rcode)
            self.put(time, udp_packet(RESOLVER, (self.phone, 40_001), answer.to_wire()))

    def resolved(self, event: EntryChanged) -> None:
        """A DNS answer that gives all names of the entry their addresses again; or only the query, where it stays
        unanswered."""
        if not event.own:
            raise NoWireFormError("an answer that another host got")
        if event.asked:
            self._lookup(event.time, "10.0.0.1", None)
            return
        if event.reordered or abs(event.until - event.time - event.ttl_low) > 0.01:
            raise NoWireFormError("an entry in another order, or of another age than its TTL")
        self.names = True
        query = dns.message.make_query(server_name("10.0.0.1"), "A")
        answer = dns.message.make_response(query)
        for host, ttl in (("10.0.0.1", event.ttl_low), ("10.0.0.2", event.ttl_high), ("10.0.0.3", event.ttl_high)):
            answer.answer.append(dns.rrset.from_text(f"{server_name(host)}.", int(ttl), "IN", "A", host))
        self.put(event.time, udp_packet(RESOLVER, (self.phone, 40_001), answer.to_wire()))

    # -- starts

    def booted(self, time: float) -> None:
        """The phone asks for an address by DHCP, is given its old one, and fetches its configuration by TFTP."""
        self.put(time - 3 * MOMENT, udp_packet(("0.0.0.0", 68), BROADCAST, dhcp(1, 1)))
        self.put(time - 2 * MOMENT, udp_packet(DHCP_SERVER, (self.phone, 68), dhcp(2, 5, given=self.phone)))
        self.put(time - MOMENT, udp_packet((self.phone, 40_002), TFTP_SERVER, tftp("000000000000.cfg")))
