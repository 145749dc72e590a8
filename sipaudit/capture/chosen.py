"""Single packets of a capture, fetched once more by their numbers: evidence."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence

from sipaudit.capture import formats
from sipaudit.capture.files import CaptureFile
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Batch, Packet
from sipaudit.capture.records import Records
from sipaudit.capture.streams import DamagedStreamError, chunks, opened


def chosen_packets(file: CaptureFile, frames: Collection[int]) -> Iterator[Packet]:
    """The packets with these numbers (Wireshark's) in the order of the file, each with its length on the wire; the file
    is read no further than to the last of them.

    Our own reader takes them: libpcap's batches do not tell how long a packet was before the snap length cut it.
    """
    wanted = sorted(set(frames))
    if not wanted:
        return
    reader: Records | None = None
    with opened(file.source) as stream:
        try:
            for data, _ in chunks(stream, file.path):
                reader = reader or formats.records(data, CaptureHealth(file.path))
                for batch in reader.feed(data):
                    yield from _of_batch(batch, wanted, reader)
                if reader.frames >= wanted[-1] or reader.damaged:
                    return
        except DamagedStreamError:
            return  # the first pass has said so


def _of_batch(batch: Batch, wanted: Sequence[int], reader: Records) -> Iterator[Packet]:
    begin = bisect_left(wanted, batch.first_frame)
    end = bisect_left(wanted, batch.first_frame + batch.length)
    if begin == end:
        return
    run = batch.run()
    for frame in wanted[begin:end]:
        at = frame - batch.first_frame
        start, length = run.offsets[at], run.lengths[at]
        wire = reader.wire_length(batch.buffer, start, length)
        yield run.times[at], frame, batch.link_type, batch.buffer[start : start + length], wire
