"""Single packets of a capture, read again by frame number to serve as evidence."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence

from sipaudit.capture import formats
from sipaudit.capture.decode import Decoder
from sipaudit.capture.files import CaptureFile
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Batch, Packet
from sipaudit.capture.records import Records
from sipaudit.capture.streams import DamagedStreamError, chunks, opened
from sipaudit.sip.datagram import Datagram, DnsMessage, ErrorKind, Item, TransportError


def chosen_packets(file: CaptureFile, frames: Collection[int]) -> Iterator[Packet]:
    """The packets with these frame numbers (Wireshark's), in file order, each with its length on the wire; the file
    is read no further than the last of them.

    Uses our own reader: libpcap's batches do not contain a packet's length before the snap length truncated it.
    """
    wanted = sorted(set(frames))
    if not wanted:
        return
    with opened(file.source) as stream:
        try:
            for reader, batches, _ in formats.read(chunks(stream, file.path), CaptureHealth(file.path)):
                for batch in batches:
                    yield from _of_batch(batch, wanted, reader)
                if reader.frames >= wanted[-1] or reader.damaged:
                    return
        except DamagedStreamError:
            return  # the first pass has reported it


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


def said_alone(packet: Packet) -> Item | None:
    """The item in a packet that can be decoded without other packets: a datagram, a DNS message, an ICMP error. None
    if it may need other packets (TCP, fragments), or if we can read nothing in it."""
    time, frame, link_type, data, _ = packet   # the first pass does not know the wire length either
    items = Decoder([CaptureHealth("")]).decode((time, frame, link_type, data, 0), 0)
    return items[0] if len(items) == 1 and _is_alone(items[0]) else None


def _is_alone(item: Item) -> bool:
    if isinstance(item, Datagram):
        return item.flow.transport == "udp" and not item.frames
    return isinstance(item, DnsMessage) or (isinstance(item, TransportError) and item.kind is ErrorKind.ICMP)
