"""The packets of one capture file, in batches: read by libpcap where it is correct, by our own reader otherwise.

libpcap (pcapy-ng) reads plain files three times as fast as we do.  It cannot read pipes twice, compressed files, or
pcapng whose interfaces differ in link type or snap length. At damage it discards the unfinished batch: the last packets
before the capture was cut off, which may be what the user is looking for.  When libpcap gives up, our reader starts
again at the beginning, and yields only packets behind those already yielded.  libpcap does not report blocks that are
not packets, and Wireshark numbers some of them: a file that has any is read by our reader.
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

BATCH = 4096      # packets: with fewer, the mask costs a third more; with more, nothing is gained
FIRST_BATCH = 1024   # packets of the first batch: their length is not known yet
BEGINNING = 1 << 20     # bytes at the start of a pcapng that are searched for blocks that libpcap skips
BATCH_BYTES = 800_000   # approximate size of a batch: media packets are small, SIP ones long; 2 or 3 batches are held
_PCAP_HEADER, _RECORD_HEADER = 24, 16  # bytes, to estimate libpcap's position in the file


def batches(file: CaptureFile, health: CaptureHealth, progress: Callable[[int], None]) -> Iterator[Batch]:
    """All packets of a file, numbered as Wireshark numbers them.

    What the file reports about itself (link types, losses, that it was cut off) is noted in `health`; `progress` is
    called with the number of stored bytes read since its last call.  Raises InputError for a pipe that carries no
    capture.
    """
    position = _Position(progress)
    if file.plain and not _numbers_more(file):
        yield from _with_libpcap(file, health, position)
    else:
        yield from _with_our_reader(file, health, position)
    position.reached(file.size)


def _numbers_more(file: CaptureFile) -> bool:
    """Whether a pcapng has blocks other than packets that Wireshark numbers. Only its beginning is checked: programs
    that write custom blocks or journal entries do so from the start."""
    with opened(file.source) as stream:
        head = stream.read(len(SECTION_MAGIC))
        if head != SECTION_MAGIC:
            return False
        reader = PcapngRecords(CaptureHealth(file.path))
        packets = sum(batch.length for batch in reader.feed(head + stream.read(BEGINNING)))
        return reader.frames > packets


class _Position:
    """Reports to `progress` how far a file was read, as increments."""

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
    """Yield the packets behind frame number `already`, the last one that libpcap has yielded."""
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
