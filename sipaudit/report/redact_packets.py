"""Makes new packets for redacted evidence: each has the content of an original packet, with pseudonyms for names.

They are built from parsed values alone, not from the original's bytes, so nothing unexamined can slip through.
"""

from __future__ import annotations

from sipaudit.capture.write import (
    ETHERNET,
    TCP_ACK,
    TCP_FIN,
    TCP_PSH,
    TCP_RST,
    TCP_SYN,
    Endpoint,
    ethernet_frame,
    icmp_unreachable_packet,
    tcp_packet,
    udp_packet,
)
from sipaudit.report.exhibits import Packet
from sipaudit.report.redact import Pseudonyms
from sipaudit.sip.datagram import Connection, ConnectionKind, Datagram, ErrorKind, Flow, Item, TransportError

LONGEST = 65_000  # bytes of a message that fit into one IP packet


def anew(item: Item, capture: str, names: Pseudonyms, text: bytes = b"") -> Packet | None:
    """A packet with the content of `item` under pseudonyms; `text` is the redacted message.

    A message becomes one packet, however many it came in.  Over TCP it stays TCP; out of TLS and WebSocket it becomes
    UDP, since in clear text it would not be recognised on those.  None for an item that is no evidence.
    """
    if not isinstance(item, Datagram | TransportError | Connection):
        return None
    data = ethernet_frame(_packet(item, *_ends(item.flow, names), text[:LONGEST]))
    return Packet(names.path(capture), item.frame, item.time, ETHERNET, data, len(data))


def _ends(flow: Flow, names: Pseudonyms) -> tuple[Endpoint, Endpoint]:
    return ((names.address(flow.source_host), flow.source_port),
            (names.address(flow.destination_host), flow.destination_port))


def _packet(item: Datagram | TransportError | Connection, source: Endpoint, destination: Endpoint, text: bytes
            ) -> bytes:
    if isinstance(item, TransportError):
        return _error(item, source, destination)
    if isinstance(item, Connection):
        flags = {ConnectionKind.SYN: TCP_SYN, ConnectionKind.CLOSED: TCP_FIN | TCP_ACK,
                 ConnectionKind.DROPPED: TCP_FIN | TCP_ACK}
        return tcp_packet(source, destination, sequence=1, flags=flags.get(item.kind, TCP_PSH | TCP_ACK))
    if item.flow.transport == "tcp":
        return tcp_packet(source, destination, text, sequence=1, flags=TCP_PSH | TCP_ACK)
    return udp_packet(source, destination, text)


def _error(error: TransportError, source: Endpoint, destination: Endpoint) -> bytes:
    """The packet of a transport error: `source` sent what failed, and the error comes from `destination`, or from a
    router in its name."""
    if error.kind is ErrorKind.ICMP:
        code = error.code.rpartition(".")[2]
        return icmp_unreachable_packet(destination[0], udp_packet(source, destination, b""),
                                       code=int(code) if code.isdigit() and int(code) < 256 else 3)
    if error.kind is ErrorKind.UNANSWERED:
        return tcp_packet(source, destination, sequence=1, flags=TCP_SYN)
    flags = TCP_PSH | TCP_ACK if error.kind is ErrorKind.TLS else TCP_RST | TCP_ACK
    return tcp_packet(destination, source, sequence=1, flags=flags)
