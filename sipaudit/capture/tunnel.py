"""Tunnels: packets inside IP packets."""

from __future__ import annotations

from sipaudit.capture.ip import UDP, IpPacket
from sipaudit.capture.layers import TRUNCATED, Inner, Peel, Peeled, Stop, Tally
from sipaudit.capture.link import ERSPAN2, ETHERTYPE_BRIDGED, by_ethertype, ethernet, mpls, ppp
from sipaudit.sip.framing import looks_like_sip

VXLAN, VXLAN_LINUX, VXLAN_GPE, GENEVE, GTP_U = 4789, 8472, 4790, 6081, 2152
MPLS_UDP, L2TP, CAPWAP, TEREDO, TZSP = 6635, 1701, 5247, 3544, 37008

TUNNELS = 8  # nesting depth; an ERSPAN mirror of VXLAN with GRE in it has three
GTP_EXTENSIONS = 8  # extension headers followed in a G-PDU; networks send one or two
TZSP_TAGS = 16      # tags followed per frame; MikroTik sends only the end tag

_GRE_CHECKSUM, _GRE_ROUTING, _GRE_KEY, _GRE_SEQUENCE, _PPTP_ACK = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080
_GRE_KEEPALIVE = 0
_L2TP_CONTROL, _L2TP_LENGTH, _L2TP_SEQUENCE, _L2TP_OFFSET, _L2TP_VERSION = 0x8000, 0x4000, 0x0800, 0x0200, 0x000F
_VXLAN_I, _VXLAN_NEVER, _GPE_P = 0x08, 0x40, 0x04  # bits of the first octet


def tunnelled(packet: IpPacket) -> Peeled | None:
    """The content of a tunnel packet; None if `packet` is no tunnel (or its header is not valid for that tunnel)."""
    if packet.protocol == UDP:
        port = int.from_bytes(packet.payload[2:4], "big")
        return udp_tunnelled(port, packet.payload[8:]) if port in TUNNEL_PORTS else None
    peel = _PROTOCOLS.get(packet.protocol)
    return peel(packet.payload) if peel else None


def udp_tunnelled(port: int, payload: bytes) -> Peeled | None:
    """The content of a UDP payload to one of TUNNEL_PORTS; None if invalid, or SIP: a phone may use such a port."""
    return None if looks_like_sip(payload) else TUNNEL_PORTS[port](payload)


def bare_ip(data: bytes) -> Peeled:
    """IPIP, 6in4, 4in6."""
    return Inner(data)


def gre(data: bytes) -> Peeled:
    """GRE (RFC 2784, 2890); version 1 is PPTP's (RFC 2637)."""
    if len(data) < 4:
        return TRUNCATED
    flags, number = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
    if flags & _GRE_ROUTING:
        return Stop("gre-routing")  # RFC 1701's source routes, gone since RFC 2784
    at = 4
    for flag in (_GRE_CHECKSUM, _GRE_KEY, _GRE_SEQUENCE):
        at += 4 if flags & flag else 0
    if flags & 7 == 1 and flags & _PPTP_ACK:
        at += 4
    if len(data) < at:
        return TRUNCATED
    if number == ERSPAN2 and not flags & _GRE_SEQUENCE:
        return Inner(data[at:], ethernet)  # ERSPAN type I has neither sequence number nor header
    if number == _GRE_KEEPALIVE:
        return Stop("gre-keepalive", Tally.CONTENT)
    return by_ethertype(number, data[at:])


def vxlan(payload: bytes) -> Peeled | None:
    """VXLAN (RFC 7348 5); without the I flag, something else uses the port.

    The highest bit may be set: then reserved octets hold a group policy ID (draft-smith-vxlan-group-policy-05 2.1).
    """
    if len(payload) < 8 or not payload[0] & _VXLAN_I or payload[0] & _VXLAN_NEVER:
        return None
    return Inner(payload[8:], ethernet)


def vxlan_gpe(payload: bytes) -> Peeled | None:
    """VXLAN with any protocol inside (draft-ietf-nvo3-vxlan-gpe-13 3); without the P flag it is Ethernet, as in VXLAN
    itself."""
    plain = vxlan(payload)
    if plain is None or not payload[0] & _GPE_P:
        return plain
    number = payload[3]
    return Inner(payload[8:], _GPE_PROTOCOLS[number]) if number in _GPE_PROTOCOLS else Stop(f"vxlan-gpe-{number}")


def geneve(payload: bytes) -> Peeled | None:
    """GENEVE (RFC 8926 3.4)."""
    if len(payload) < 8 or payload[0] >> 6:
        return None
    number = int.from_bytes(payload[2:4], "big")
    inner = payload[8 + (payload[0] & 63) * 4 :]
    return Inner(inner, ethernet) if number == ETHERTYPE_BRIDGED else by_ethertype(number, inner)


def gtp_u(payload: bytes) -> Peeled | None:
    """A G-PDU of GTPv1-U (3GPP TS 29.281 5.1); other messages, such as echo requests, carry no packet."""
    if len(payload) < 8 or payload[0] >> 4 != 3:
        return None
    if payload[1] != 255:
        return Stop("gtp-u", Tally.CONTENT)
    if not payload[0] & 7:
        return Inner(payload[8:])
    at, following = 12, payload[11] if len(payload) > 11 and payload[0] & 4 else 0
    for _ in range(GTP_EXTENSIONS):
        if not following:
            return Inner(payload[at:])
        end = at + payload[at] * 4 if at < len(payload) else at
        if end == at or end > len(payload):
            return TRUNCATED
        at, following = end, payload[end - 1]
    return Stop("gtp-u-extensions")


def l2tp(payload: bytes) -> Peeled | None:
    """A data message of L2TPv2 (RFC 2661 3.1); control messages carry no packet."""
    if len(payload) < 6:
        return None
    flags = int.from_bytes(payload[:2], "big")
    if flags & _L2TP_VERSION != 2:
        return Stop("l2tp")
    if flags & _L2TP_CONTROL:
        return Stop("l2tp", Tally.CONTENT)
    at = 6 + (2 if flags & _L2TP_LENGTH else 0) + (4 if flags & _L2TP_SEQUENCE else 0)
    end = int.from_bytes(payload[2:4], "big") if flags & _L2TP_LENGTH else len(payload)
    if flags & _L2TP_OFFSET:
        at += 2 + int.from_bytes(payload[at : at + 2], "big")
    return Inner(payload[at:end], ppp)


def mpls_udp(payload: bytes) -> Peeled | None:
    """MPLS in UDP (RFC 7510)."""
    return mpls(payload)


def tzsp(payload: bytes) -> Peeled | None:
    """TZSP: a frame that a sniffer received or sent, as streamed by MikroTik. After four bytes come tags, each with its
    length, except padding (0) and the end tag (1)."""
    if payload[:2] not in (b"\1\0", b"\1\1"):
        return None
    at = 4
    for _ in range(TZSP_TAGS):
        tag, length = payload[at : at + 1], payload[at + 1 : at + 2]
        if tag == b"\1":
            number = int.from_bytes(payload[2:4], "big")
            return Inner(payload[at + 1 :], ethernet) if number == 1 else Stop(f"tzsp-{number}")
        if not length:
            return TRUNCATED
        at += 1 if tag == b"\0" else 2 + length[0]
    return Stop("tzsp-tags")


def _unread(kind: str) -> Peel:
    """For a tunnel that we recognise but do not open: it is counted as `kind`."""
    return lambda _: Stop(kind)


_GPE_PROTOCOLS: dict[int, Peel | None] = {1: None, 2: None, 3: ethernet, 5: mpls}  # IPv4, IPv6

_PROTOCOLS: dict[int, Peel] = {4: bare_ip, 41: bare_ip, 47: gre, 137: mpls}

TUNNEL_PORTS = {
    VXLAN: vxlan, VXLAN_LINUX: vxlan, VXLAN_GPE: vxlan_gpe, GENEVE: geneve, GTP_U: gtp_u, MPLS_UDP: mpls_udp,
    L2TP: l2tp, TZSP: tzsp, CAPWAP: _unread("capwap"), TEREDO: _unread("teredo"),
}
