"""Reads pcapng (draft-ietf-opsawg-pcapng): sections, interfaces, packets, loss statistics and TLS secrets."""

from __future__ import annotations

import struct
from io import SEEK_END
from typing import BinaryIO, NamedTuple

from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.records import MAX_CAPTURED, Records

SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
MAX_BLOCK = 16 * 1024 * 1024  # bytes; libpcap's own limit
MAX_INTERFACES = 65_536
MAX_SECRETS = 16 * 1024 * 1024  # bytes of a file's TLS key logs

_SECTION, _INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _STATISTICS, _PACKET, _SECRETS = 0x0A0D0D0A, 1, 2, 3, 5, 6, 10
_FRAMES = frozenset((0x9, 0xBAD, 0x40000BAD, 0x204, 0x208, 0x216, 0x217, 0x221, 0x222))
"""Blocks that are no packets, but that Wireshark numbers as frames: journal entries, custom blocks, sysdig events."""
_BYTE_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_SHORTEST_BLOCK, _SHORTEST_PACKET, _PACKET_HEAD, _SIMPLE_HEAD = 12, 32, 28, 12
_TLS_KEY_LOG = 0x544C534B
_IF_TSRESOL, _IF_TSOFFSET, _ISB_IFDROP = 9, 14, 5
_MICRO = 1_000_000
_BEHIND_PACKETS = (_STATISTICS, 4)  # 4: name resolution
_CLOSING = 65_536  # bytes at the end of a file that are searched for those blocks
_EVER = 0xFFFFFFFF  # seconds are stored modulo 2^32 in a row, as in libpcap's


def read_closing_statistics(stream: BinaryIO, health: CaptureHealth) -> None:
    """Note the packets that the interfaces lost, from the blocks behind the last packet, found from the file's end
    backwards, since each block ends with its length. For readers that skip statistics blocks, as libpcap does.
    """
    head = stream.read(_SHORTEST_BLOCK)
    order = _BYTE_ORDERS.get(head[8:12])
    size = stream.seek(0, SEEK_END)
    stream.seek(max(0, size - _CLOSING))
    tail = stream.read()
    if not order or head[:4] != SECTION_MAGIC:
        return
    start = len(tail)
    while start >= _SHORTEST_BLOCK:
        (length,) = struct.unpack_from(order + "I", tail, start - 4)
        if not _SHORTEST_BLOCK <= length <= start:
            break
        (kind,) = struct.unpack_from(order + "I", tail, start - length)
        if kind not in _BEHIND_PACKETS:
            break
        start -= length
    reader = PcapngRecords(health)
    reader.feed(struct.pack(order + "IIIHHqI", _SECTION, 28, 0x1A2B3C4D, 1, 0, -1, 28) + tail[start:])


class Interface(NamedTuple):
    """An interface: `units` of a timestamp per second, `offset` in seconds to add, `snaplen` in bytes."""

    link_type: int
    units: int
    offset: int
    snaplen: int


class PcapngRecords(Records):
    """Reads the packets of all sections and interfaces; name resolution and unknown blocks are skipped."""

    def __init__(self, health: CaptureHealth) -> None:
        super().__init__(health)
        self._interfaces: list[Interface] = []
        self._drops: dict[int, int] = {}   # packets lost in the current section, by interface
        self._dropped = 0                  # packets lost in all sections
        self._secrets_held = 0
        self._packet = struct.Struct("<6I")
        self._rows: list[int] = []
        self._rows_link = 0
        self._handlers = {
            _INTERFACE: self._interface, _STATISTICS: self._statistics, _SECRETS: self._decryption_secrets,
        }
        self._wait(_SHORTEST_BLOCK)

    def _walk(self, buffer: bytes) -> int:
        """Walk block by block; enhanced packets have a loop of their own, as a capture has hardly anything else."""
        position = self._enhanced_packets(buffer, 0)
        while len(buffer) - position >= _SHORTEST_BLOCK and (length := self._block(buffer, position)):
            position = self._enhanced_packets(buffer, position + length)
        self._flush(buffer, 0)
        return position

    def _enhanced_packets(self, buffer: bytes, position: int) -> int:
        """Read enhanced packets up to the first block that is something else, incomplete or invalid; returns where that
        block begins."""
        add, unpack, interfaces, end = self._rows.extend, self._packet.unpack_from, self._interfaces, len(buffer)
        count, last = len(interfaces), end - _SHORTEST_PACKET
        while position <= last:
            kind, length, number, high, low, captured = unpack(buffer, position)
            if kind != _PACKET or captured + 32 > length or position + length > end or number >= count:
                break
            link_type, units, offset, _ = interfaces[number]
            if link_type != self._rows_link:
                self._flush(buffer, link_type)
            seconds, fraction = divmod(high << 32 | low, units)
            if units != _MICRO:
                fraction = fraction * _MICRO // units
            add(((seconds + offset) & _EVER, fraction, position + _PACKET_HEAD, captured))
            position += length
        return position

    def _flush(self, buffer: bytes, link_type: int) -> None:
        """End the current batch, and begin one of this link type: a batch has only one."""
        self._batch(buffer, self._rows, self._rows_link)
        self._rows_link = link_type

    def _block(self, buffer: bytes, position: int) -> int:
        """Read one block of any kind; returns its length, or 0 if it is incomplete or invalid."""
        if buffer[position : position + 4] == SECTION_MAGIC:
            order = _BYTE_ORDERS.get(buffer[position + 8 : position + 12], "")
        else:
            order = self._order
        kind, length = struct.unpack_from((order or "<") + "II", buffer, position)
        if not order or length < _SHORTEST_BLOCK or length > MAX_BLOCK or length & 3:
            self._damage()
            return 0
        if position + length > len(buffer):
            self._wait(length)
            return 0
        if buffer[position + length - 4 : position + length] != buffer[position + 4 : position + 8]:
            self._damage()
        elif kind == _SECTION:
            self._section(order)
        else:
            self._whole_block(kind, buffer, position, length)
        return 0 if self.damaged else length

    def _whole_block(self, kind: int, buffer: bytes, position: int, length: int) -> None:
        """Handle a complete block other than a section header."""
        body = buffer[position + 8 : position + length - 4]
        if kind in _FRAMES:
            self._flush(buffer, self._rows_link)
            self.frames += 1
        elif kind == _OLD_PACKET:
            self._old_packet(body, buffer, position)
        elif kind == _SIMPLE_PACKET:
            self._simple_packet(body, buffer, position)
        elif kind == _PACKET:
            self._damage()  # valid ones were read by `_enhanced_packets`
        elif handler := self._handlers.get(kind):
            handler(body)

    def _section(self, order: str) -> None:
        """Begin a section: set its byte order and forget the interfaces of the one before."""
        self._order = order
        self._packet = struct.Struct(order + "6I")
        self._interfaces = []
        self._drops = {}

    def _interface(self, body: bytes) -> None:
        if len(body) < 8 or len(self._interfaces) >= MAX_INTERFACES:
            self._damage()
            return
        link_type, snaplen = struct.unpack_from(self._order + "H2xI", body)
        options = self._options(body, 8)
        resolution = (options.get(_IF_TSRESOL) or b"\x06")[0]
        units = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
        offset = options.get(_IF_TSOFFSET, b"")
        seconds = struct.unpack(self._order + "q", offset)[0] if len(offset) == 8 else 0
        self._interfaces.append(Interface(self._link(link_type), units, seconds, snaplen))

    def _old_packet(self, body: bytes, buffer: bytes, position: int) -> None:
        """The obsolete Packet Block, which the Enhanced Packet Block replaced."""
        if len(body) < 20:
            self._damage()
            return
        number, high, low, captured = struct.unpack_from(self._order + "H2xIII", body)
        if number >= len(self._interfaces) or captured > min(len(body) - 20, MAX_CAPTURED):
            self._damage()
            return
        interface = self._interfaces[number]
        seconds, fraction = divmod(high << 32 | low, interface.units)
        self._flush(buffer, interface.link_type)
        microseconds = fraction * _MICRO // interface.units
        self._rows += ((seconds + interface.offset) & _EVER, microseconds, position + _PACKET_HEAD, captured)

    def _simple_packet(self, body: bytes, buffer: bytes, position: int) -> None:
        """A Simple Packet Block: a packet of the first interface, without a time; it gets time 0, as in libpcap."""
        if len(body) < 4 or not self._interfaces:
            self._damage()
            return
        interface = self._interfaces[0]
        (length,) = struct.unpack_from(self._order + "I", body)
        captured = min(length, interface.snaplen or MAX_CAPTURED, len(body) - 4, MAX_CAPTURED)
        self._flush(buffer, interface.link_type)
        self._rows += (0, 0, position + _SIMPLE_HEAD, captured)

    def _statistics(self, body: bytes) -> None:
        """An interface's loss counter: it counts since the interface was opened, so the latest value is the total."""
        if len(body) < 12:
            return
        (number,) = struct.unpack_from(self._order + "I", body)
        dropped = self._options(body, 12).get(_ISB_IFDROP, b"")
        if len(dropped) == 8 and number < MAX_INTERFACES:
            (count,) = struct.unpack(self._order + "Q", dropped)
            self._dropped += count - self._drops.get(number, 0)
            self._drops[number] = count
            self.health.kernel_drops = self._dropped

    def _decryption_secrets(self, body: bytes) -> None:
        if len(body) < 8:
            return
        kind, length = struct.unpack_from(self._order + "II", body)
        self._secrets_held += length
        if kind == _TLS_KEY_LOG and self._secrets_held <= MAX_SECRETS:
            self.secrets.append(body[8 : 8 + length])

    def _options(self, body: bytes, position: int) -> dict[int, bytes]:
        """The options of a block, by code; the last one if a code is repeated."""
        options = {}
        while position + 4 <= len(body):
            code, length = struct.unpack_from(self._order + "HH", body, position)
            if not code:
                break
            options[code] = body[position + 4 : position + 4 + length]
            position += 4 + length + (-length & 3)
        return options
