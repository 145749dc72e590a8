"""ICMP errors as evidence that a packet could not be delivered."""

from __future__ import annotations

from sipaudit.capture.flows import Flows
from sipaudit.capture.ip import TCP, UDP, IpPacket, parse_ip
from sipaudit.sip.datagram import ErrorKind, TransportError

FRAGMENTATION_NEEDED = 4  # code of type 3: the sender retransmits in smaller pieces; not a failure

_UNREACHABLE, _PARAMETER = 3, 12  # ICMP, RFC 792
_UNREACHABLE6, _PARAMETER6 = 1, 4  # ICMPv6, RFC 4443


def transport_error(packet: IpPacket, time: float, capture: int, frame: int, flows: Flows) -> TransportError | None:
    """The failure that an ICMP or ICMPv6 packet reports; None if it reports none for a UDP or TCP packet.

    Destination unreachable and parameter problem count; source quench and time exceeded do not (RFC 3261 18.4).
    The flow is that of the quoted packet: from its sender to the destination that was not reached.  `sent` is set to
    the time of the ICMP packet, because the time of the quoted packet is known only where transactions are tracked.
    """
    message = packet.payload
    if len(message) < 8 or not _is_failure(len(packet.source) == 16, message[0], message[1]):
        return None
    quoted = parse_ip(_quotation(message, len(packet.source) == 16), missing=True)
    if not isinstance(quoted, IpPacket) or (quoted.fragment and quoted.fragment.start):
        return None
    header = quoted.payload
    if quoted.protocol not in (UDP, TCP) or len(header) < 8:
        return None
    if quoted.protocol == UDP:
        transport, data = "udp", header[8:]
    else:
        transport, data = "tcp", header[(header[12] >> 4) * 4 :] if len(header) >= 20 else b""
    flow = flows.get(transport, quoted.source + quoted.destination, header[:4])
    return TransportError(time, capture, frame, ErrorKind.ICMP, flow, time, data, f"{message[0]}.{message[1]}")


def _is_failure(version6: bool, kind: int, code: int) -> bool:
    if version6:
        return kind in (_UNREACHABLE6, _PARAMETER6)
    return (kind == _UNREACHABLE and code != FRAGMENTATION_NEEDED) or kind == _PARAMETER


def _quotation(message: bytes, version6: bool) -> bytes:
    """The quoted packet, without the extensions that may follow it (RFC 4884 3: a field has its length in words)."""
    words = message[4] * 8 if version6 else message[5] * 4
    return message[8 : 8 + words] if words else message[8:]
