"""Parses link layers: from a captured frame to the IP packet inside, one header at a time.

Each function takes the bytes behind the previous header.  None raises.
"""

from __future__ import annotations

from sipaudit.capture import linktypes
from sipaudit.capture.layers import TRUNCATED, Inner, Peel, Peeled, Stop, Tally
from sipaudit.capture.neighbours import of_arp

ETHERTYPE_IP = (0x0800, 0x86DD)
ETHERTYPE_BRIDGED = 0x6558  # Transparent Ethernet Bridging (GRE, GENEVE)
ERSPAN2, ERSPAN3 = 0x88BE, 0x22EB
VLAN_TAG = b"\x81\x00"   # stored as the first bytes of every VLAN tag, whichever EtherType it has
_LENGTHS_END = 0x0600  # a smaller value in the field is an 802.3 length, IEEE 802.3 3.2.6
_ARPHRD_ETHER = (1, 772)  # Ethernet, and Linux's loopback, which shows all-zero addresses
_NULL_FAMILIES = (2, 10, 24, 28, 30)  # AF_INET, AF_INET6 of Linux, NetBSD/OpenBSD, FreeBSD, Darwin


def by_link_type(link_type: int, data: bytes) -> Peeled:
    """A captured frame, ready to be peeled."""
    peel = _LINK_TYPES.get(link_type)
    return Inner(data, peel) if peel else Stop(f"link-type-{link_type}")


def by_ethertype(number: int, data: bytes, mac: bytes = b"", tags: bytes = b"") -> Peeled:
    """The content that follows an EtherType."""
    if number in ETHERTYPE_IP:
        return Inner(data, None, mac, tags)
    if peel := _ETHERTYPES.get(number):
        return Inner(data, peel, mac, tags)
    return _ETHERTYPE_STOPS.get(number) or Stop(f"ethertype-0x{number:04x}")


def ethernet(data: bytes) -> Peeled:
    """Ethernet II, or 802.3, which has a length instead of the EtherType (IEEE 802.3 3.2.6)."""
    if len(data) < 14:
        return TRUNCATED
    number = int.from_bytes(data[12:14], "big")
    if number < _LENGTHS_END:
        return Inner(data[14 : 14 + number], llc, data[6:12])
    return by_ethertype(number, data[14:], data[6:12])


def llc(data: bytes) -> Peeled:
    """802.2, with SNAP where it carries an EtherType; spanning tree and its like carry no SIP."""
    if len(data) < 3:
        return TRUNCATED
    if data[:2] == b"\xaa\xaa":
        if len(data) < 8:
            return TRUNCATED
        if data[3:6] in (b"\0\0\0", b"\0\0\xf8"):  # RFC 1042, IEEE 802.1H
            return by_ethertype(int.from_bytes(data[6:8], "big"), data[8:])
    if data[:2] == b"\x06\x06":
        return Inner(data[3:])
    return Stop("llc", Tally.CONTENT)


def vlan(data: bytes) -> Peeled:
    return _tag(data, 2, VLAN_TAG + data[:2])


def vn_tag(data: bytes) -> Peeled:
    return _tag(data, 4)


def six_byte_tag(data: bytes) -> Peeled:
    return _tag(data, 6)


def _tag(data: bytes, length: int, tags: bytes = b"") -> Peeled:
    """A tag of `length` bytes, followed by the EtherType (or 802.3 length) of its content."""
    if len(data) < length + 2:
        return TRUNCATED
    number = int.from_bytes(data[length : length + 2], "big")
    if number < _LENGTHS_END:
        return Inner(data[length + 2 :], llc, b"", tags)
    return by_ethertype(number, data[length + 2 :], b"", tags)


def mpls(data: bytes) -> Peeled:
    """Skip labels down to the bottom of the stack. No field says what follows: its first nibble does (RFC 4928 3)."""
    at = 0
    while at + 4 <= len(data):
        bottom = data[at + 2] & 1
        at += 4
        if bottom:
            return _behind_labels(data[at:])
    return TRUNCATED


def _behind_labels(data: bytes) -> Peeled:
    """An IP packet, or the Ethernet frame of a pseudowire, with or without a control word (RFC 4448 4.6).

    A control word begins with a nibble of 0, as do many hardware addresses: it is taken for one if a known EtherType is
    found at the place where it must then be.
    """
    if not data:
        return TRUNCATED
    nibble = data[0] >> 4
    if nibble in (4, 6):
        return Inner(data)
    kind = int.from_bytes(data[16:18], "big")
    has_control_word = nibble == 0 and (kind in ETHERTYPE_IP or kind in _ETHERTYPES)
    return Inner(data[4:] if has_control_word else data, ethernet)


def pppoe(data: bytes) -> Peeled:
    """PPPoE's session stage (RFC 2516)."""
    if len(data) < 8:
        return TRUNCATED
    length = int.from_bytes(data[4:6], "big")
    return Inner(data[6 : 6 + length], ppp)


def ppp(data: bytes) -> Peeled:
    """PPP. The protocol field may be one byte if its compression was negotiated (RFC 1661 6.5)."""
    if data[:2] == b"\xff\x03":
        data = data[2:]
    if len(data) < 2:
        return TRUNCATED
    size = 1 if data[0] & 1 else 2
    number = int.from_bytes(data[:size], "big")
    if number in (0x21, 0x57):
        return Inner(data[size:])
    if number in (0x0281, 0x0283):
        return Inner(data[size:], mpls)
    if number >= 0x8000:  # LCP, PAP, CHAP, IPCP ...: control of the link itself
        return Stop("ppp", Tally.CONTENT)
    return Stop(f"ppp-0x{number:04x}")


def erspan(data: bytes) -> Peeled:
    """ERSPAN types II and III, distinguished by their version field (draft-foschiano-erspan-03 4.2, 4.3)."""
    if len(data) < 8:
        return TRUNCATED
    version = data[0] >> 4
    if version == 1:
        return Inner(data[8:], ethernet)
    if version != 2:
        return Stop(f"erspan-version-{version}")
    if len(data) < 12:
        return TRUNCATED
    at = 20 if data[11] & 1 else 12  # O flag: a platform-specific subheader follows
    frame_type = data[10] >> 2 & 31
    return Inner(data[at:], None if frame_type == 2 else ethernet)


def sll(data: bytes) -> Peeled:
    """Linux cooked capture, version 1."""
    if len(data) < 16:
        return TRUNCATED
    return _cooked(data[2:4], data[4:6], data[6:12], data[14:16], data[16:])


def sll2(data: bytes) -> Peeled:
    """Linux cooked capture, version 2 (with the interface, which we do not need)."""
    if len(data) < 20:
        return TRUNCATED
    return _cooked(data[8:10], data[11:12], data[12:18], data[0:2], data[20:])


def _cooked(hardware: bytes, size: bytes, address: bytes, protocol: bytes, data: bytes) -> Peeled:
    is_mac = int.from_bytes(size, "big") == 6 and int.from_bytes(hardware, "big") in _ARPHRD_ETHER
    number = int.from_bytes(protocol, "big")
    mac = address if is_mac else b""
    if number == 4:  # 802.2 frames
        return Inner(data, llc, mac)
    if number < _LENGTHS_END:
        return Stop(f"sll-0x{number:04x}")
    return by_ethertype(number, data, mac)


def null(data: bytes) -> Peeled:
    """BSD loopback: an address family in the byte order of the host that captured (LOOP: network order)."""
    if len(data) < 4:
        return TRUNCATED
    family = min(int.from_bytes(data[:4], "big"), int.from_bytes(data[:4], "little"))
    return Inner(data[4:]) if family in _NULL_FAMILIES else Stop("null-family")


def raw(data: bytes) -> Peeled:
    return Inner(data)


def arp(data: bytes) -> Peeled:
    return Stop("arp", Tally.CONTENT, of_arp(data))


_LINK_TYPES: dict[int, Peel] = {
    linktypes.ETHERNET: ethernet, linktypes.NULL: null, linktypes.LOOP: null,
    linktypes.LINUX_SLL: sll, linktypes.LINUX_SLL2: sll2,
    linktypes.PPP: ppp, linktypes.PPP_HDLC: ppp, linktypes.PPP_ETHER: pppoe, linktypes.MPLS: mpls,
    linktypes.RAW_BSD: raw, linktypes.RAW_OPENBSD: raw, linktypes.RAW: raw, linktypes.IPV4: raw, linktypes.IPV6: raw,
}

VLAN_TAGS = (0x8100, 0x88A8, 0x9100)

_ETHERTYPES: dict[int, Peel] = {
    **dict.fromkeys(VLAN_TAGS, vlan),
    ETHERTYPE_BRIDGED: ethernet,
    0x0806: arp,
    0x8847: mpls, 0x8848: mpls,
    0x8864: pppoe,
    0x880B: ppp,
    0x8926: vn_tag,  # Cisco VN-Tag
    0x893F: six_byte_tag,  # IEEE 802.1BR
    0x8909: six_byte_tag,  # Cisco metadata
    ERSPAN2: erspan, ERSPAN3: erspan,  # mostly in GRE
}

_ETHERTYPE_STOPS = {
    0x8035: Stop("arp", Tally.CONTENT),  # reverse ARP
    0x8863: Stop("ppp", Tally.CONTENT),  # PPPoE discovery
    0x88E5: Stop("macsec", Tally.ENCRYPTED),
}
