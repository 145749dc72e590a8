"""What the capture layer hands upward: payloads with their place, and what happened beside them.

These values are the border between packets and SIP.  `capture/` makes them,
`reconstruct/` consumes them, and neither knows the other.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Flow(Struct, frozen=True, gc=False, array_like=True):
    """One direction between two transport addresses.

    Flows are interned by the capture layer, so the strings are made once a
    flow and not once a packet.  `transport` is udp, tcp, tls, ws, wss or sctp;
    hosts are bare (`10.0.0.1`, `2001:db8::1`); `source` and `destination` are
    `host:port`, IPv6 in brackets; `source_mac` (`0004f2123456`) is what the
    captured segment shows, None where the link has none; `vlan` the numbers of
    its tags (`20`, `100.20`), None where there are none.
    """

    transport: str
    source_host: str
    source_port: int
    destination_host: str
    destination_port: int
    source: str
    destination: str
    source_mac: str | None = None
    vlan: str | None = None

    def back(self) -> Flow:
        """The other direction, of whose source no MAC is known."""
        return Flow(self.transport, self.destination_host, self.destination_port, self.source_host, self.source_port,
                    self.destination, self.source)


def endpoint(host: str, port: int) -> str:
    """`host:port`, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_of(place: str) -> str:
    """The bare host of an `endpoint`, whatever follows its port."""
    return place.rpartition(":")[0].strip("[]")


def flow(
    transport: str, source_host: str, source_port: int, destination_host: str, destination_port: int,
    source_mac: str | None = None,
) -> Flow:
    """A flow with its two `host:port` strings made."""
    return Flow(
        transport, source_host, source_port, destination_host, destination_port,
        endpoint(source_host, source_port), endpoint(destination_host, destination_port), source_mac,
    )


class Datagram(Struct, frozen=True, gc=False):
    """One payload that is SIP or looks like it: a UDP datagram, or one framed message of a stream.

    `time` seconds since the epoch as captured (microsecond resolution),
    `capture` index of the capture it came from, `frame` Wireshark's number of
    the packet that completed it, `frames` all packets when there are several
    (else empty), `cut` true when the snap length removed its end.
    """

    time: float
    capture: int
    frame: int
    flow: Flow
    payload: bytes
    frames: tuple[int, ...] = ()
    cut: bool = False


class DnsRecord(Struct, frozen=True, gc=False):
    """One resource record. `data` by type: A/AAAA the address, SRV `(priority, weight, port, target)`,
    NAPTR `(order, preference, flags, service, replacement)`, CNAME the target; names in lower case without
    the final dot; `ttl` in seconds."""

    name: str
    type: str
    ttl: int
    data: str | tuple[int | str, ...]


class DnsMessage(Struct, frozen=True, gc=False):
    """A DNS query (`response` false) or answer. `client` and `server` are bare hosts; `rcode` 0 is success."""

    time: float
    capture: int
    frame: int
    client: str
    server: str
    response: bool
    rcode: int
    name: str
    type: str
    records: tuple[DnsRecord, ...] = ()


class ErrorKind(StrEnum):
    """Why a transport could not carry a message."""

    ICMP = "icmp"          # destination unreachable, quoting the packet
    REFUSED = "refused"    # SYN answered by RST
    UNANSWERED = "unanswered"  # SYN never answered
    RESET = "reset"        # established connection reset
    TLS = "tls"            # handshake alert, or handshake not completed


class TransportError(Struct, frozen=True, gc=False):
    """Failure evidence beside SIP. `flow` is the direction that failed (sender first), `quoted` what ICMP quotes
    of the payload (often cut, may be empty), `code` ICMP's `type.code` or the TLS alert's name.  `time` is when
    the evidence was seen, `sent` when the failed packet was first sent (RESET: time of the last data)."""

    time: float
    capture: int
    frame: int
    kind: ErrorKind
    flow: Flow
    sent: float
    quoted: bytes = b""
    code: str = ""


class ConnectionKind(StrEnum):
    """What a connection did."""

    SYN = "syn"
    CLOSED = "closed"        # FIN of the side that opened it, or in answer to a FIN
    DROPPED = "dropped"      # at rest: RST, repetitions in vain, FIN of a side that is not known to have opened it
    ENCRYPTED = "encrypted"  # application data that cannot be read


class Connection(Struct, frozen=True, gc=False):
    """A connection's beginning (each SYN, as long as it has no answer), end, or first unreadable record; `flow` is the
    direction of the packet."""

    time: float
    capture: int
    frame: int
    kind: ConnectionKind
    flow: Flow


class Sought(Struct, frozen=True, gc=False):
    """A host with something to send to `target` asks its segment for that address again, and in vain so far: no packet
    can leave (ARP, RFC 826; neighbour discovery, RFC 4861 7.2.2). `host` and `target` are bare hosts; `mac` is who asks
    on the segment (`0004f2123456`), a router where it has something of others to send."""

    time: float
    capture: int
    frame: int
    host: str
    target: str
    mac: str | None


class Gap(Struct, frozen=True, gc=False):
    """Bytes of a stream that the capture does not hold. `missing` in bytes (0: unknown)."""

    time: float
    capture: int
    frame: int
    flow: Flow
    missing: int


class StartKind(StrEnum):
    """What a device did that a starting one does."""

    ADDRESS = "address"  # it asks for an address, having none
    LEASE = "lease"      # it is given `host`
    FILE = "file"        # it fetches a provisioning file, which it may do at other times as well
    UPDATER = "updater"  # so does the program that runs before its own, at a start only


class Start(Struct, frozen=True, gc=False):
    """A sign that a device may be starting. `host` is its address where it has one, `mac` its hardware address
    (`0004f2123456`) as it says or the segment shows."""

    time: float
    capture: int
    frame: int
    kind: StartKind
    host: str | None
    mac: str | None


Item = Datagram | DnsMessage | TransportError | Connection | Sought | Gap | Start
