"""The packets of one capture file, in batches: libpcap where it is fast and right, our own reader for the rest.

libpcap (pcapy-ng) reads plain files three times as fast as we do.  It cannot read pipes twice, compressed files, or
pcapng whose interfaces differ in link type or snap length, and at damage it throws the unfinished batch away: the
last packets before the capture was cut off, which may be what the user looks for.  Where it gives up, our reader
starts over and goes on behind what was already given.  Of blocks that are no packets it says nothing, and Wireshark
numbers some of them: where there are any, our reader reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pcapy

from sipaudit.capture import formats
from sipaudit.capture.files import CaptureFile, no_packet
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import ROW_SIZE, Batch
from sipaudit.capture.pcapng import SECTION_MAGIC, PcapngRecords, read_closing_statistics
from sipaudit.capture.records import Records, note_link_type
from sipaudit.capture.streams import DamagedStreamError, chunks, opened

BATCH = 4096      # packets: fewer make the mask dearer by a third, more gain nothing
FIRST_BATCH = 1024   # packets of the first batch, since nobody knows how long they are
BEGINNING = 1 << 20     # bytes of a pcapng in which blocks are looked for that libpcap passes over
BATCH_BYTES = 800_000   # of a batch, about: media come in small packets, SIP in long ones, and two or three are held
_PCAP_HEADER, _RECORD_HEADER = 24, 16  # bytes, to tell how far libpcap is


def batches(file: CaptureFile, health: CaptureHealth, progress: Callable[[int], None]) -> Iterator[Batch]:
    """All packets of a file, numbered as Wireshark numbers them.

    What the file says of itself (link types, losses, that it was cut off) is noted in `health`; `progress` is told how
    many stored bytes were read since it was told last.  Raises InputError for a pipe that carries no capture.
    """
    position = _Position(progress)
    if file.plain and not _numbers_more(file):
        yield from _with_libpcap(file, health, position)
    else:
        yield from _with_our_reader(file, health, position)
    position.reached(file.size)


def _numbers_more(file: CaptureFile) -> bool:
    """Whether Wireshark numbers more than packets in a pcapng, as far as its beginning shows: who writes custom blocks
    or entries of a journal does so from the start."""
    with opened(file.source) as stream:
        head = stream.read(len(SECTION_MAGIC))
        if head != SECTION_MAGIC:
            return False
        reader = PcapngRecords(CaptureHealth(file.path))
        packets = sum(batch.length for batch in reader.feed(head + stream.read(BEGINNING)))
        return reader.frames > packets


class _Position:
    """How far a file was read, told in steps."""

    __slots__ = ("_progress", "_told")

    def __init__(self, progress: Callable[[int], None]) -> None:
        self._progress = progress
        self._told = 0

    def reached(self, position: int) -> None:
        if position > self._told:
            self._progress(position - self._told)
            self._told = position


def _with_libpcap(file: CaptureFile, health: CaptureHealth, position: _Position) -> Iterator[Batch]:
    frames, done = 0, _PCAP_HEADER
    try:
        reader = pcapy.open_offline(file.source)
        for link_type in file.link_types:
            note_link_type(health, link_type)
        wanted = min(FIRST_BATCH, BATCH)
        while True:
            buffer, rows = reader.next_batch(wanted)
            if not rows:
                break
            yield Batch(buffer, rows, file.link_types[0], frames + 1)
            count = len(rows) // ROW_SIZE
            frames += count
            done += len(buffer) + count * _RECORD_HEADER
            position.reached(done)
            wanted = max(1, min(BATCH, count * BATCH_BYTES // (len(buffer) or 1)))
    except (pcapy.PcapError, UnicodeEncodeError):  # the latter: a file name that is not UTF-8
        yield from _with_our_reader(file, health, position, frames)
        return
    with opened(file.source) as stream:
        read_closing_statistics(stream, health)


def _with_our_reader(
    file: CaptureFile, health: CaptureHealth, position: _Position, already: int = 0
) -> Iterator[Batch]:
    """`already`: number of the last frame that was given before."""
    reader: Records | None = None
    with opened(file.source) as stream:
        try:
            for reader, given, stored in formats.read(chunks(stream, file.path), health):
                yield from (batch.behind(already) for batch in given if batch.first_frame + batch.length - 1 > already)
                position.reached(stored)
                if reader.damaged:
                    break
        except DamagedStreamError:
            health.truncated = True
            health.undecoded["damaged-compression"] += 1
    if reader is None or not reader.frames:
        raise no_packet(file.path, reader)
    reader.finish()
