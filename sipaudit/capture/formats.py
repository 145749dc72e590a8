"""Recognises the format of a file by its first bytes; its name is ignored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sipaudit import mistaken
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Batch
from sipaudit.capture.pcapng import SECTION_MAGIC, PcapngRecords
from sipaudit.capture.records import PCAP_MAGICS, PcapRecords, Records
from sipaudit.errors import InputError

MAGIC = 4  # bytes needed to recognise the formats that we read
GZIP, ZSTD, LZ4 = "gzip", "zstd", "lz4"

_COMPRESSIONS = {b"\x1f\x8b": GZIP, b"\x28\xb5\x2f\xfd": ZSTD, b"\x04\x22\x4d\x18": LZ4}
_CONVERT = "convert it: editcap -F pcapng FILE OUT.pcapng"
_OTHER_FORMATS = {
    b"\xfd7zXZ": ("is compressed with xz", "uncompress it first: unxz FILE"),
    b"BZh": ("is compressed with bzip2", "uncompress it first: bunzip2 FILE"),
    b"PK\x03\x04": ("is a zip archive", "unpack it first"),
    b"7z\xbc\xaf": ("is a 7z archive", "unpack it first"),
    b"snoop\0": ("is a snoop capture", _CONVERT),
}
_TAR = slice(257, 262)
_TEXT = frozenset(b"\t\n\r\f\x1b") | frozenset(range(0x20, 0x7F)) | frozenset(range(0x80, 0x100))


def compression(head: bytes) -> str | None:
    """GZIP, ZSTD or LZ4; None for anything else."""
    for magic, name in _COMPRESSIONS.items():
        if head.startswith(magic):
            return name
    return None


def records(head: bytes, health: CaptureHealth) -> Records:
    """The reader for a capture that begins with `head`. Raises InputError if it is neither pcap nor pcapng."""
    if head[:MAGIC] in PCAP_MAGICS:
        return PcapRecords(health)
    if head[:MAGIC] == SECTION_MAGIC:
        return PcapngRecords(health)
    raise not_a_capture(head, health.path)


def read(pieces: Iterable[tuple[bytes, int]], health: CaptureHealth) -> Iterator[tuple[Records, list[Batch], int]]:
    """Read a capture piece by piece (`streams.chunks`). Yields for each piece the reader, the packets that the piece
    completes, and how many stored bytes were read by then. Raises InputError if it is neither pcap nor pcapng."""
    reader: Records | None = None
    for data, stored in pieces:
        reader = reader or records(data, health)
        yield reader, reader.feed(data), stored


def not_a_capture(head: bytes, path: str) -> InputError:
    """The error for a file that is no capture: it says what the content is instead, and what to do."""
    if not head:
        return InputError("is empty (0 bytes)", fix="was the capture stopped before its first packet?", file=path)
    if error := mistaken.known_as(head, path, mistaken.REPORT, mistaken.STORE):
        return error
    for magic, (what, fix) in _OTHER_FORMATS.items():
        if head.startswith(magic):
            return InputError(what, fix=fix, file=path)
    if head[_TAR.start:_TAR.stop] == b"ustar":
        return InputError("is a tar archive", fix="unpack it first: tar xf FILE", file=path)
    if all(byte in _TEXT for byte in head):
        fix = "name a pcap or pcapng file; tcpdump writes one with -w"
        return InputError("is a text file, not a capture", fix=fix, file=path)
    fix = "name the file that tcpdump -w or Wireshark wrote"
    return InputError("is not a pcap or pcapng capture", fix=fix, file=path)
