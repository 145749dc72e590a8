"""Reads capture records from bytes that arrive in pieces: the common part of the pcap and pcapng readers, and pcap.

A reader is fed bytes and returns the packets that are complete, so the same code serves pipes, compressed files,
the tail of a damaged file and a file that is still growing.  It holds at most one incomplete record.
Nothing raises: an invalid record ends the reading and is counted.
"""

from __future__ import annotations

import struct
from array import array

from sipaudit.capture import linktypes
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Batch

MAX_CAPTURED = 262_144  # bytes of a packet; libpcap's and Wireshark's own limit
MAX_ON_THE_WIRE = 1 << 24  # bytes; no packet is longer, whatever its record says
LINK_TYPES_KEPT = 32
ANOTHER = "capture-behind"   # counts the rest of a file that was not read because a second capture begins there

_PCAP_HEADER = 24
_MICROSECONDS, _NANOSECONDS, _LONG_RECORDS = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
PCAP_MAGICS = {
    struct.pack(order + "I", magic): (order, magic)
    for magic in (_MICROSECONDS, _NANOSECONDS, _LONG_RECORDS)
    for order in ("<", ">")
}


def note_link_type(health: CaptureHealth, link_type: int) -> None:
    """Add the name of a link type to those of the capture."""
    name = linktypes.name(link_type)
    if name not in health.link_types:
        health.link_types.append(name)


class Records:
    """Feeds bytes to the `_walk` of a format and holds incomplete records.

    `frames` is Wireshark's number of the last packet, `link_types` those declared so far, `secrets` the TLS key logs
    found in the file; `damaged`: an invalid record, or another capture, was found, and nothing behind it is read.
    """

    def __init__(self, health: CaptureHealth) -> None:
        self.health = health
        self.frames = 0
        self.link_types: list[int] = []
        self.secrets: list[bytes] = []
        self.damaged = False
        self._pieces: list[bytes] = []
        self._held = 0
        self._need = 1
        self._batches: list[Batch] = []
        self._order = "<"
        self._length_before = 4

    def feed(self, data: bytes) -> list[Batch]:
        """The packets that these bytes complete, in the order of the file."""
        if self.damaged:
            return []
        self._pieces.append(data)
        self._held += len(data)
        if self._held < self._need:
            return []
        buffer = b"".join(self._pieces)
        self._need = 1
        self._batches = []
        rest = buffer[self._walk(buffer) :]
        self._pieces, self._held = [rest], len(rest)
        return self._batches

    def wire_length(self, buffer: bytes, start: int, captured: int) -> int:
        """The length on the wire, in bytes, of the packet at `start` of a batch that this reader has just returned;
        never less than `captured`.  All formats have it at a fixed place before the packet's bytes."""
        (length,) = struct.unpack_from(self._order + "I", buffer, start - self._length_before)
        return int(length) if captured <= length <= MAX_ON_THE_WIRE else captured

    @property
    def incomplete(self) -> bool:
        """Whether bytes of an incomplete record are held."""
        return bool(self._held)

    def finish(self) -> None:
        """To be called at the end of the file: an incomplete record means that the capture was cut off."""
        if self.incomplete:
            self.health.truncated = True

    def _walk(self, buffer: bytes) -> int:
        """Pass the complete packets of `buffer` to `_batch` and return how many bytes were consumed."""
        raise NotImplementedError

    def _batch(self, buffer: bytes, rows: list[int], link_type: int) -> None:
        if rows:
            self._batches.append(Batch(buffer, array("I", rows).tobytes(), link_type, self.frames + 1))
            self.frames += len(rows) // 4
            rows.clear()

    def _wait(self, length: int) -> None:
        """Do not walk again before `length` bytes are held, so that a long record in small pieces is joined only once.
        """
        self._need = length

    def _damage(self) -> None:
        """Stop at an invalid record: where the next one begins is unknown."""
        self.damaged = True
        self.health.undecoded["damaged-record"] += 1

    def _another(self) -> None:
        """Stop at the header of another capture: Wireshark does not read on there, so nothing behind has a number."""
        self.damaged = True
        self.health.undecoded[ANOTHER] += 1

    def _link(self, number: int) -> int:
        """Note a link type of the file."""
        link_type = linktypes.canonical(number)
        if link_type not in self.link_types and len(self.link_types) < LINK_TYPES_KEPT:
            self.link_types.append(link_type)
            note_link_type(self.health, link_type)
        return link_type


class PcapRecords(Records):
    """Classic pcap: either byte order, micro- or nanoseconds, Kuznetzov's longer record header."""

    def __init__(self, health: CaptureHealth) -> None:
        super().__init__(health)
        self._record: struct.Struct | None = None
        self._nanoseconds = False
        self._link_type = 0
        self._wait(_PCAP_HEADER)

    def _walk(self, buffer: bytes) -> int:
        if self._record is None:
            self._record = self._header(buffer)
            return self._walk_records(buffer, _PCAP_HEADER, self._record)
        return self._walk_records(buffer, 0, self._record)

    def _header(self, buffer: bytes) -> struct.Struct:
        order, magic = PCAP_MAGICS[buffer[:4]]
        (network,) = struct.unpack_from(order + "I", buffer, 20)
        self._link_type = self._link(network & 0xFFFF)  # the upper half describes the frame check sequence
        self._nanoseconds = magic == _NANOSECONDS
        self._order, self._length_before = order, 12 if magic == _LONG_RECORDS else 4
        return struct.Struct(order + ("III12x" if magic == _LONG_RECORDS else "III4x"))

    def _walk_records(self, buffer: bytes, position: int, record: struct.Struct) -> int:
        rows: list[int] = []
        add, unpack, size, end = rows.extend, record.unpack_from, record.size, len(buffer)
        nanoseconds = self._nanoseconds
        while (start := position + size) <= end:
            seconds, fraction, captured = unpack(buffer, position)
            after = start + captured
            if after > end or captured > MAX_CAPTURED:
                if captured > MAX_CAPTURED:
                    self._damage()
                self._wait(after - position)
                break
            if not captured and buffer[position:position + 4] in PCAP_MAGICS:   # files joined by `cat`
                self._another()
                position = end
                break
            add((seconds, fraction // 1000 if nanoseconds else fraction, start, captured))
            position = after
        self._batch(buffer, rows, self._link_type)
        return position
