"""Address resolution among hosts of one segment, as frames: ARP (RFC 826) and neighbour discovery (RFC 4861)."""

from __future__ import annotations

import struct
from socket import AF_INET6, inet_aton, inet_pton

from sipaudit.capture.write import ethernet_frame, ip_packet

REQUEST, REPLY = 1, 2
_ICMP6, _ALL_NODES = 58, "ff02::1"


def arp(kind: int, mac: str, sender: str, target: str) -> bytes:
    """`kind` is REQUEST or REPLY, `mac` the sender's hardware address in 12 hex digits."""
    body = bytes.fromhex(mac) + inet_aton(sender) + bytes(6) + inet_aton(target)
    return bytes(6) + bytes.fromhex(mac) + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, 6, 4, kind) + body


def solicitation(host: str, target: str, mac: str) -> bytes:
    """`host` asks for the hardware address of `target`."""
    return _discovery(135, host, _ALL_NODES, target, mac)


def advertisement(target: str, host: str, mac: str) -> bytes:
    """`target` answers `host`."""
    return _discovery(136, target, host, target, mac)


def _discovery(kind: int, source: str, destination: str, about: str, mac: str) -> bytes:
    message = bytes((kind, 0, 0, 0)) + bytes(4) + inet_pton(AF_INET6, about)
    return ethernet_frame(ip_packet(source, destination, _ICMP6, message), source_mac=mac)
