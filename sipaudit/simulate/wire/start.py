"""The traffic of a phone before it registers: it requests an address, then its configuration."""

from __future__ import annotations

import ipaddress
import struct

from sipaudit.capture.write import TCP_ACK, TCP_FIN, TCP_PSH, TCP_SYN, Endpoint, tcp_packet, udp_packet
from sipaudit.simulate.network import Network

DHCP_SERVER, WEB_SERVER = "10.0.0.67", ("10.0.0.80", 80)
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
_COOKIE = b"\x63\x82\x53\x63"  # RFC 2131 3


def start(network: Network, place: Endpoint, mac: str, agent: str, number: int) -> float:
    """Send DHCP and the HTTP fetch of `<mac>.cfg` (IPv4 only); returns the seconds until the phone registers."""
    later = 0.0
    network.know(place[0], mac)
    if ":" not in place[0]:
        network.know("0.0.0.0", mac)
        for kind in (DISCOVER, OFFER, REQUEST, ACK):
            own = kind in (DISCOVER, REQUEST)
            ends = (("0.0.0.0", 68), ("255.255.255.255", 67)) if own else ((DHCP_SERVER, 67), (place[0], 68))
            packet = udp_packet(*ends, _bootp(kind, place[0], mac, number))
            network.carry(*ends, packet, later)
            later += 0.05
        later = _fetch(network, (place[0], 1024 + number % 30_000), mac, agent, later)
    return later + 0.5


def _bootp(kind: int, address: str, mac: str, number: int) -> bytes:
    """A DHCP message (RFC 2131 2) with no options but its type and, from the server, the server identifier."""
    own = kind in (DISCOVER, REQUEST)
    yours = bytes(4) if own else ipaddress.ip_address(address).packed
    head = struct.pack("!BBBBIHH", 1 if own else 2, 1, 6, 0, number, 0, 0) + bytes(4) + yours + bytes(8)
    options = bytes([53, 1, kind]) + (b"" if own else b"\x36\x04" + ipaddress.ip_address(DHCP_SERVER).packed)
    return head + bytes.fromhex(mac) + bytes(10 + 64 + 128) + _COOKIE + options + b"\xff"


def _fetch(network: Network, own: Endpoint, mac: str, agent: str, later: float) -> float:
    names = f"Host: {WEB_SERVER[0]}\r\nUser-Agent: FileTransport {agent}\r\n"
    request = f"GET /{mac}.cfg HTTP/1.1\r\n{names}\r\n".encode()
    content = b"<APPLICATION CONFIG_FILES=\"site.cfg\"/>"
    response = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)
    asked, answered = 1001 + len(request), 5001 + len(response)
    steps = (
        (True, TCP_SYN, b"", 1000, 0), (False, TCP_SYN | TCP_ACK, b"", 5000, 1001), (True, TCP_ACK, b"", 1001, 5001),
        (True, TCP_ACK | TCP_PSH, request, 1001, 5001), (False, TCP_ACK | TCP_PSH, response, 5001, asked),
        (True, TCP_FIN | TCP_ACK, b"", asked, answered), (False, TCP_FIN | TCP_ACK, b"", answered, asked + 1),
        (True, TCP_ACK, b"", asked + 1, answered + 1),
    )
    for from_phone, flags, payload, sequence, acknowledgement in steps:
        ends = (own, WEB_SERVER) if from_phone else (WEB_SERVER, own)
        packet = tcp_packet(*ends, payload, sequence=sequence, acknowledgement=acknowledgement, flags=flags,
                            identification=network.identification(ends[0][0]))
        network.carry(*ends, packet, later)
        later += 0.004
    return later
