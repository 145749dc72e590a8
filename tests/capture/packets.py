"""Packets built byte by byte, each wrapper around the one before it, so that a test reads as its protocol stack."""

from __future__ import annotations

import socket
import struct
import zlib

import numpy as np

from sipaudit.capture import linktypes
from sipaudit.capture.decode import Decoder
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Batch
from sipaudit.sip.datagram import Datagram, Item

PHONE, SERVER = "10.1.0.5", "10.0.0.1"
PHONE6, SERVER6 = "2001:db8::5", "2001:db8::1"
PHONE_MAC = bytes.fromhex("0004f2123456")
MIRROR_MAC = bytes.fromhex("02000000aaaa")
TIME = 1_700_000_000.0
ETHERNET = 1

REGISTER = (
    b"REGISTER sip:pbx.example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.1.0.5:5060;branch=z9hG4bK-1\r\n"
    b"From: <sip:1001@pbx.example.com>;tag=a\r\nTo: <sip:1001@pbx.example.com>\r\nCall-ID: c@10.1.0.5\r\n"
    b"CSeq: 1 REGISTER\r\nContact: <sip:1001@10.1.0.5>\r\nContent-Length: 0\r\n\r\n"
)


def packed(host: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)


def udp(payload: bytes = REGISTER, source: int = 5060, destination: int = 5060, length: int | None = None) -> bytes:
    return struct.pack(">HHHH", source, destination, 8 + len(payload) if length is None else length, 0) + payload


def tcp(
    payload: bytes = b"", source: int = 49152, destination: int = 5060, *, seq: int = 1, ack: int = 1, flags: int = 0x18
) -> bytes:
    return struct.pack(">HHIIBBHHH", source, destination, seq, ack, 0x50, flags, 65535, 0, 0) + payload


def ip4(
    payload: bytes, protocol: int = 17, source: str = PHONE, destination: str = SERVER, *, identification: int = 1,
    offset: int = 0, more: bool = False, options: bytes = b"", total: int | None = None,
) -> bytes:
    header = 20 + len(options)
    fragment = offset // 8 | (0x2000 if more else 0)
    length = header + len(payload) if total is None else total
    return struct.pack(
        ">BBHHHBBH4s4s", 0x40 | header // 4, 0, length, identification, fragment, 64, protocol, 0,
        packed(source), packed(destination),
    ) + options + payload


def ip6(
    payload: bytes, protocol: int = 17, source: str = PHONE6, destination: str = SERVER6, *, length: int | None = None
) -> bytes:
    size = len(payload) if length is None else length
    return struct.pack(">IHBB", 6 << 28, size, protocol, 64) + packed(source) + packed(destination) + payload


def ethernet(payload: bytes, ethertype: int = 0x0800, source: bytes = PHONE_MAC) -> bytes:
    return b"\x02\0\0\0\0\x01" + source + struct.pack(">H", ethertype) + payload


def tagged(payload: bytes, ethertype: int = 0x0800) -> bytes:
    """A VLAN tag without its own EtherType: priority and VLAN ID, then the next EtherType."""
    return struct.pack(">HH", 0x6064, ethertype) + payload


def fragment6(
    payload: bytes, protocol: int = 17, *, identification: int = 7, offset: int = 0, more: bool = False
) -> bytes:
    return struct.pack(">BBHI", protocol, 0, offset | more, identification) + payload


def vxlan(frame: bytes) -> bytes:
    return udp(b"\x08\0\0\0\0\0\x2a\0" + frame, 50000, 4789)


def gre(payload: bytes, ethertype: int = 0x0800, flags: int = 0, optional: bytes = b"") -> bytes:
    return struct.pack(">HH", flags, ethertype) + optional + payload


def gtp_u(packet: bytes, flags: int = 0x30, optional: bytes = b"") -> bytes:
    return udp(struct.pack(">BBHI", flags, 255, len(optional) + len(packet), 1) + optional + packet, 2152, 2152)


def hep3(
    payload: bytes = REGISTER, *, source: str = PHONE, destination: str = SERVER, protocol: int = 17, kind: int = 1,
    time: float | None = TIME, compressed: bool = False, key: bytes = b"", ports: tuple[int, int] = (5060, 5060),
) -> bytes:
    """A HEP3 packet as agents write it."""
    v6 = ":" in source
    body = zlib.compress(payload) if compressed else payload
    chunks = [
        (1, b"\x0a" if v6 else b"\x02"), (2, bytes([protocol])), (5 if v6 else 3, packed(source)),
        (6 if v6 else 4, packed(destination)), (7, struct.pack(">H", ports[0])), (8, struct.pack(">H", ports[1])),
    ]
    if time is not None:
        chunks += [(9, struct.pack(">I", int(time))), (10, struct.pack(">I", round(time % 1 * 1e6)))]
    chunks += [(11, bytes([kind])), (12, struct.pack(">I", 101))]
    chunks += [(14, key)] if key else []
    chunks += [(16 if compressed else 15, body)]
    data = b"".join(struct.pack(">HHH", 0, number, 6 + len(value)) + value for number, value in chunks)
    return b"HEP3" + struct.pack(">H", 6 + len(data)) + data


class Wire:
    """A decoder fed by hand: `see` gives the items of one packet, `health` the counters."""

    def __init__(self) -> None:
        self.health = CaptureHealth("test.pcap")
        self.decoder = Decoder([self.health])
        self.frame = 0
        self.time = TIME

    def see(self, data: bytes, link_type: int = ETHERNET, *, time: float | None = None, wire: int = 0) -> list[Item]:
        self.frame += 1
        self.time = self.time + 1.0 if time is None else time  # a second apart: nothing is a mirror's duplicate
        return self.decoder.decode((self.time, self.frame, link_type, data, wire or len(data)), 0)

    def message(self, data: bytes, /, **options: int) -> Datagram:
        """See a packet that is one SIP message, and no more."""
        (item,) = self.see(data, **options)
        assert isinstance(item, Datagram)
        return item

    def finish(self) -> list[Item]:
        return self.decoder.finish()


def batch(frames: list[bytes], link_type: int = linktypes.ETHERNET) -> Batch:
    rows, offset = [], 0
    for frame in frames:
        rows += [1_700_000_000, 500_000, offset, len(frame)]
        offset += len(frame)
    return Batch(b"".join(frames), np.array(rows, np.uint32).tobytes(), link_type, 1)
