"""Writes captures: small, deterministic pcap and pcapng writers, and frames with correct checksums.

The same calls give the same bytes: no clock is read, and no machine or user name is stored.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import BinaryIO

from sipaudit.capture import linktypes
from sipaudit.capture.ip import ICMP, ICMP6, TCP, UDP
from sipaudit.capture.records import MAX_CAPTURED

ETHERNET = linktypes.ETHERNET
TTL = 64   # of every packet; the hop limit in IPv6 as well
TCP_FIN, TCP_SYN, TCP_RST, TCP_PSH, TCP_ACK = 0x01, 0x02, 0x04, 0x08, 0x10

_SHB, _IDB, _ISB, _EPB, _DSB = 0x0A0D0D0A, 1, 5, 6, 10
_OPT_COMMENT, _SHB_USERAPPL, _IF_NAME, _IF_TSRESOL, _IF_TSOFFSET, _ISB_IFDROP = 1, 4, 2, 9, 14, 5
_TLS_KEY_LOG = 0x544C534B

Endpoint = tuple[str, int]
"""Address in text (IPv4 or IPv6) and port."""


class PcapWriter:
    """Writes a classic pcap file to a binary stream; times are in seconds since the epoch."""

    def __init__(
        self, stream: BinaryIO, link_type: int = ETHERNET, *, snaplen: int = MAX_CAPTURED,
        nanoseconds: bool = False, order: str = "<",
    ) -> None:
        self._stream = stream
        self._snaplen = snaplen
        self._units = 1_000_000_000 if nanoseconds else 1_000_000
        self._record = struct.Struct(order + "IIII")
        magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
        stream.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link_type))

    def write(self, time: float, data: bytes, wire_length: int | None = None) -> None:
        """Write one packet, cut to the snap length; `wire_length` is its original length (default: that of `data`)."""
        seconds, fraction = _split(time, self._units)
        kept = data[: self._snaplen]
        length = len(data) if wire_length is None else wire_length
        self._stream.write(self._record.pack(seconds, fraction, len(kept), length) + kept)


class PcapngWriter:
    """Writes a pcapng section to a binary stream: interfaces, packets with comments, statistics, TLS secrets."""

    def __init__(self, stream: BinaryIO, *, application: str = "sipaudit", order: str = "<") -> None:
        self._stream = stream
        self._order = order
        self._clocks: list[tuple[int, int]] = []
        head = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
        self._block(_SHB, head + self._options([(_SHB_USERAPPL, application.encode())]))

    def interface(
        self, link_type: int = ETHERNET, *, name: str | None = None, snaplen: int = MAX_CAPTURED,
        resolution: int = 6, offset: int = 0,
    ) -> int:
        """Declare an interface and return its number; times are stored in 10^-`resolution` s, less `offset` s."""
        options = [(_IF_NAME, name.encode())] if name else []
        if resolution != 6:
            options.append((_IF_TSRESOL, bytes([resolution])))
        if offset:
            options.append((_IF_TSOFFSET, struct.pack(self._order + "q", offset)))
        self._block(_IDB, struct.pack(self._order + "HHI", link_type, 0, snaplen) + self._options(options))
        self._clocks.append((10**resolution, offset))
        return len(self._clocks) - 1

    def write(
        self, time: float, data: bytes, wire_length: int | None = None, *, interface: int = 0,
        comments: Sequence[str] = (),
    ) -> None:
        """Write one enhanced packet block. The interface must have been declared."""
        length = len(data) if wire_length is None else wire_length
        head = struct.pack(self._order + "IIIII", interface, *self._ticks(time, interface), len(data), length)
        options = self._options([(_OPT_COMMENT, comment.encode()[:65_535]) for comment in comments])
        self._block(_EPB, head + _padded(data) + options)

    def statistics(self, time: float, *, interface: int = 0, dropped: int = 0) -> None:
        """Write how many packets the interface lost (isb_ifdrop)."""
        head = struct.pack(self._order + "III", interface, *self._ticks(time, interface))
        self._block(_ISB, head + self._options([(_ISB_IFDROP, struct.pack(self._order + "Q", dropped))]))

    def secrets(self, key_log: bytes) -> None:
        """Write a TLS key log (NSS format), for the packets that follow."""
        self._block(_DSB, struct.pack(self._order + "II", _TLS_KEY_LOG, len(key_log)) + _padded(key_log))

    def _ticks(self, time: float, interface: int) -> tuple[int, int]:
        units, offset = self._clocks[interface]
        seconds, fraction = _split(time, units)
        ticks = (seconds - offset) * units + fraction
        return ticks >> 32, ticks & 0xFFFFFFFF

    def _options(self, options: list[tuple[int, bytes]]) -> bytes:
        parts = [struct.pack(self._order + "HH", code, len(value)) + _padded(value) for code, value in options]
        return b"".join(parts) + b"\0\0\0\0" if parts else b""

    def _block(self, kind: int, body: bytes) -> None:
        length = len(body) + 12
        self._stream.write(
            struct.pack(self._order + "II", kind, length) + body + struct.pack(self._order + "I", length)
        )


def ethernet_frame(
    packet: bytes, *, source_mac: str = "020000000001", destination_mac: str = "020000000002", vlans: Sequence[int] = ()
) -> bytes:
    """An IP packet in an Ethernet frame, with VLAN tags (outermost first) where given; MACs as 12 hex digits."""
    tags = b"".join(struct.pack("!HH", 0x8100, vlan) for vlan in vlans)
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return _macs(destination_mac + source_mac) + tags + kind + packet


def ip_packet(
    source: str, destination: str, protocol: int, payload: bytes, *, identification: int = 0, fragment: int = 0,
) -> bytes:
    """An IPv4 or IPv6 packet, by the form of the addresses; `fragment` is IPv4's flags and offset field."""
    if ":" in source:
        head = struct.pack("!IHBB", 0x60000000, len(payload), protocol, TTL)
        return head + _address(source) + _address(destination) + payload
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(payload), identification, fragment, TTL, protocol)
    addresses = _address(source) + _address(destination)
    return head + struct.pack("!H", checksum(head + b"\0\0" + addresses)) + addresses + payload


def udp_packet(source: Endpoint, destination: Endpoint, payload: bytes, *, identification: int = 0) -> bytes:
    """An IP packet with one UDP datagram."""
    head = struct.pack("!HHH", source[1], destination[1], 8 + len(payload))
    value = checksum(_pseudo_header(source, destination, UDP, 8 + len(payload)) + head + b"\0\0" + payload)
    datagram = head + struct.pack("!H", value or 0xFFFF) + payload
    return ip_packet(source[0], destination[0], UDP, datagram, identification=identification)


def tcp_packet(
    source: Endpoint, destination: Endpoint, payload: bytes = b"", *, sequence: int, acknowledgement: int = 0,
    flags: int = TCP_ACK, identification: int = 0,
) -> bytes:
    """An IP packet with one TCP segment without options."""
    ports = struct.pack("!HHII", source[1], destination[1], sequence & 0xFFFFFFFF, acknowledgement & 0xFFFFFFFF)
    head = ports + struct.pack("!BBH", 0x50, flags, 0xFFFF)
    pseudo = _pseudo_header(source, destination, TCP, 20 + len(payload))
    value = checksum(pseudo + head + b"\0\0\0\0" + payload)
    segment = head + struct.pack("!HH", value, 0) + payload
    return ip_packet(source[0], destination[0], TCP, segment, identification=identification)


def icmp_unreachable_packet(source: str, quoted: bytes, *, code: int = 3) -> bytes:
    """An ICMP destination unreachable (port by default) from `source` to the sender of the quoted IP packet. RFC 792
    quotes IP header and 8 bytes; like routers (RFC 1812 4.3.2.3) this quotes more: up to 548 bytes; 1,200 in IPv6
    (RFC 4443 3.1)."""
    six = quoted[0] >> 4 == 6
    destination = socket.inet_ntop(socket.AF_INET6, quoted[8:24]) if six else socket.inet_ntoa(quoted[12:16])
    body = b"\0\0\0\0" + quoted[: 1_200 if six else 548]
    head = bytes((1, {3: 4, 2: 4, 1: 3, 0: 0}.get(code, 1)) if six else (3, code))
    pseudo = _pseudo_header((source, 0), (destination, 0), ICMP6, 4 + len(body)) if six else b""
    value = checksum(pseudo + head + b"\0\0" + body)
    return ip_packet(source, destination, ICMP6 if six else ICMP, head + struct.pack("!H", value) + body)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    number = int.from_bytes(data, "big")  # adding with end-around carry is counting modulo 2^16 - 1
    total = number % 0xFFFF or (0xFFFF if number else 0)
    return ~total & 0xFFFF


_macs = lru_cache(maxsize=4096)(bytes.fromhex)


def _pseudo_header(source: Endpoint, destination: Endpoint, protocol: int, length: int) -> bytes:
    addresses = _address(source[0]) + _address(destination[0])
    layout = "!IHBB" if ":" in source[0] else "!BBH"
    values = (length, 0, 0, protocol) if ":" in source[0] else (0, protocol, length)
    return addresses + struct.pack(layout, *values)


@lru_cache(maxsize=4096)
def _address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def _split(time: float, units: int) -> tuple[int, int]:
    """Seconds, and the fraction in `units`, rounded to microseconds: a float holds no more for today's dates."""
    seconds, microseconds = divmod(round(time * 1_000_000), 1_000_000)
    return seconds, microseconds * units // 1_000_000


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
