"""The kernel filter, which drops media but nothing that could carry SIP.

RTP and RTCP begin with version 2 in their first two bits (RFC 3550 5.1), and no
SIP message begins with such a byte.  Only what is surely media is dropped:
unfragmented UDP directly on IPv4 or IPv6, on no port of DNS or of a tunnel.
VLAN tags that the network card removed do not matter here; frames that still
have tags all pass, and our own mask handles them.
"""

from __future__ import annotations

from sipaudit.capture.content import DNS_PORT
from sipaudit.capture.linktypes import ETHERNET, LINUX_SLL
from sipaudit.capture.tunnel import TUNNEL_PORTS

_MEDIA4 = "(ip and udp and ip[6:2] & 0x3fff = 0 and udp[8] & 0xc0 = 0x80)"
_MEDIA6 = "(ip6 and ip6[6] = 17 and ip6[48] & 0xc0 = 0x80)"


def kernel_filter(link_type: int, bpf: str | None) -> str | None:
    """The filter expression for a live port of this link type, including the user's `bpf`; None: everything passes."""
    if link_type not in (ETHERNET, LINUX_SLL):
        return bpf
    ports = " or ".join(f"port {port}" for port in sorted({DNS_PORT, *TUNNEL_PORTS}))
    media = f"not (({_MEDIA4} or {_MEDIA6}) and not ({ports}))"
    return media if bpf is None else f"({bpf}) and {media}"
