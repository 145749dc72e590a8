"""Classifies UDP payloads that are not SIP, under the names used in the counters of `CaptureHealth`."""

from __future__ import annotations

from sipaudit.capture.layers import Stop, Tally

SIP_PORT, SIPS_PORT, DNS_PORT = 5060, 5061, 53

_KEEPALIVE = Stop("keepalive", Tally.CONTENT)
_ESP = Stop("esp", Tally.ENCRYPTED)
_DTLS = Stop("dtls", Tally.ENCRYPTED)
_STUN, _RTP, _UDP, _IKE = (Stop(kind, Tally.CONTENT) for kind in ("stun", "rtp-like", "udp", "ike"))
_NAMED_PORTS = {53: "dns", 5353: "mdns", 5355: "mdns", 67: "dhcp", 68: "dhcp", 123: "ntp", 69: "tftp", 514: "syslog",
                161: "snmp", 162: "snmp", 500: "ike", 1900: "ssdp", 137: "netbios", 138: "netbios"}
_NAT_T = 4500
NAMING_PORTS = frozenset((SIP_PORT, SIPS_PORT, _NAT_T, *_NAMED_PORTS))   # ports used to classify or count a payload
_SHORTEST = len(b"SIP/2.0")  # fewer bytes may be a message, whole or damaged, or the `hello` of some NAT helpers
_STUN_COOKIE = b"\x21\x12\xa4\x42"


def is_keepalive(payload: bytes) -> bool:
    """Whether a payload only keeps a NAT binding open on a SIP port: a few bytes, line ends, zeroes (RFC 5626 4.4), or
    STUN."""
    return len(payload) < _SHORTEST or not payload.strip(b"\r\n\0 ") or is_stun(payload)


def is_stun(payload: bytes) -> bool:
    """Whether the header is that of a STUN message (RFC 5389 6)."""
    return payload[4:8] == _STUN_COOKIE and payload[0] < 4


def udp_stop(source_port: int, destination_port: int, payload: bytes) -> Stop:
    """How to count a UDP payload without SIP."""
    ports = (source_port, destination_port)
    if _NAT_T in ports and len(payload) > 4:  # RFC 3948 2: four zero bytes mark IKE, anything else is an SPI
        return _ESP if payload[:4] != b"\0\0\0\0" else _IKE
    for port in ports:
        if port in _NAMED_PORTS:
            return Stop(_NAMED_PORTS[port], Tally.CONTENT)
    if not payload.strip(b"\r\n\0 ") or (SIP_PORT in ports and is_keepalive(payload)):
        return _KEEPALIVE
    if SIPS_PORT in ports and 20 <= payload[0] <= 23 and payload[1:2] == b"\xfe":
        return _DTLS
    if is_stun(payload):
        return _STUN
    return _RTP if len(payload) >= 12 and payload[0] >> 6 == 2 else _UDP  # version 2 (RFC 3550 5.1), RTCP as well
