"""The values that the capture layer hands upward: payloads with their position in the capture, and events beside SIP.

They are the border between packets and SIP: `capture/` makes them, `reconstruct/`
consumes them, and neither depends on the other.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class Flow(Struct, frozen=True, gc=False, array_like=True):
    """One direction between two transport addresses.

    The capture layer interns flows, so the strings are made once per flow and
    not once per packet.  `transport` is udp, tcp, tls, ws, wss or sctp; hosts
    are bare (`10.0.0.1`, `2001:db8::1`); `source` and `destination` are
    `host:port`, IPv6 in brackets; `source_mac` (`0004f2123456`) is the source
    MAC seen on the captured segment, None where the link layer has none; `vlan`
    holds the VLAN tag numbers (`20`, `100.20`), None without tags.
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
        """The opposite direction; its `source_mac` is None, since it is not known."""
        return Flow(self.transport, self.destination_host, self.destination_port, self.source_host, self.source_port,
                    self.destination, self.source)


def endpoint(host: str, port: int) -> str:
    """`host:port`, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def host_of(place: str) -> str:
    """The bare host of an `endpoint`; everything from the last colon on is dropped."""
    return place.rpartition(":")[0].strip("[]")


def flow(
    transport: str, source_host: str, source_port: int, destination_host: str, destination_port: int,
    source_mac: str | None = None,
) -> Flow:
    """Build a flow, including its two `host:port` strings."""
    return Flow(
        transport, source_host, source_port, destination_host, destination_port,
        endpoint(source_host, source_port), endpoint(destination_host, destination_port), source_mac,
    )


class Datagram(Struct, frozen=True, gc=False):
    """One payload that is SIP or looks like it: a UDP datagram, or one framed message of a stream.

    `time` is in seconds since the epoch as captured (microsecond resolution),
    `capture` the index of the capture it came from, `frame` Wireshark's number
    of the packet that completed it, `frames` the numbers of all its packets if
    there are several (otherwise empty); `cut` is true when the snap length
    removed its end.
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
    """Evidence of a failure outside SIP. `flow` is the direction that failed (sender first), `quoted` the part of the
    payload that ICMP quotes (often cut, may be empty), `code` ICMP's `type.code` or the name of the TLS alert.  `time`
    is when the evidence was captured, `sent` when the failed packet was first sent (RESET: time of the last data)."""

    time: float
    capture: int
    frame: int
    kind: ErrorKind
    flow: Flow
    sent: float
    quoted: bytes = b""
    code: str = ""


class ConnectionKind(StrEnum):
    """What happened to a connection."""

    SYN = "syn"
    CLOSED = "closed"        # FIN of the side that opened it, or in answer to a FIN
    DROPPED = "dropped"      # while idle: RST, unanswered retransmissions, FIN of a side not known to have opened it
    ENCRYPTED = "encrypted"  # application data that cannot be read


class Connection(Struct, frozen=True, gc=False):
    """The beginning of a connection (each SYN until one is answered), its end, or its first unreadable record; `flow`
    is the direction of the packet."""

    time: float
    capture: int
    frame: int
    kind: ConnectionKind
    flow: Flow


class Sought(Struct, frozen=True, gc=False):
    """A repeated, so far unanswered address resolution request: `host` has something to send to `target`, but no packet
    can leave (ARP, RFC 826; neighbour discovery, RFC 4861 7.2.2). `host` and `target` are bare hosts; `mac` is the
    requester on the segment (`0004f2123456`), which is a router when it forwards for others."""

    time: float
    capture: int
    frame: int
    host: str
    target: str
    mac: str | None


class Gap(Struct, frozen=True, gc=False):
    """Bytes of a stream that are missing from the capture; `missing` is their number (0: unknown)."""

    time: float
    capture: int
    frame: int
    flow: Flow
    missing: int


class StartKind(StrEnum):
    """What a device did that is typical of a device starting up."""

    ADDRESS = "address"  # it requests an address, having none
    LEASE = "lease"      # it is assigned `host`
    FILE = "file"        # it fetches a provisioning file, which it may do at other times as well
    UPDATER = "updater"  # its updater, which runs only at a start and before the firmware, fetches a file


class Start(Struct, frozen=True, gc=False):
    """Evidence that a device may be starting. `host` is its address if it has one, `mac` its hardware address
    (`0004f2123456`) as the device reports it or as seen on the segment."""

    time: float
    capture: int
    frame: int
    kind: StartKind
    host: str | None
    mac: str | None


Item = Datagram | DnsMessage | TransportError | Connection | Sought | Gap | Start
