"""One file of the directory: what identifies it among all others, and its unread packets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from sipaudit.capture import formats
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import ROW_SIZE, Batch
from sipaudit.capture.records import Records
from sipaudit.capture.streams import DamagedStreamError
from sipaudit.errors import InputError
from sipaudit.live.follow.unpack import Gzip, Stored

PATIENCE = 60.0  # seconds for which failed reads are retried
LOOKS = (1 << 12, 1 << 16, 1 << 20)  # stored bytes in which to search for the first packet, tried in turn


Inode = tuple[int, int]
"""Device and inode number."""


_RECORD = 16  # bytes of a pcap record header; no record, and no block of pcapng, begins with so many zeroes


class OverwrittenError(Exception):
    """The file was overwritten by another capture: a ring that came round (`tcpdump -W`)."""


class Opening(NamedTuple):
    """The beginning of a capture. `identity` is a hash of all bytes up to the end of its first packet (`length` bytes,
    uncompressed), whose time `first` is among them: no two captures share it, but copies and `FILE.gz` do."""

    identity: str
    length: int
    first: float
    compressed: bool


def opening(descriptor: int, path: str) -> Opening | None:
    """Read the beginning of a file; None when its first packet is not complete yet.

    Raises InputError for a file that is no capture, OSError where it cannot be read.
    """
    for look in LOOKS:
        stored = os.pread(descriptor, look, 0)
        if len(stored) < formats.MAGIC:
            return None
        compression = formats.compression(stored)
        if compression not in (None, formats.GZIP):
            raise InputError(f"is compressed with {compression}", fix="only gzip is followed", file=path)
        found = _first_packet(_plain(stored, path) if compression else stored, path, bool(compression))
        if found is not None or len(stored) < look:
            return found
    return None


def _plain(stored: bytes, path: str) -> bytes:
    """The first piece of a gzip file, uncompressed. Raises InputError."""
    try:
        return next(Gzip().feed(stored), b"")
    except DamagedStreamError as error:
        raise InputError("its compressed data are damaged", fix="compress it again", file=path) from error


def _first_packet(data: bytes, path: str, compressed: bool) -> Opening | None:
    if len(data) < formats.MAGIC:
        return None
    reader = formats.records(data, CaptureHealth(path))
    batches = reader.feed(data)
    if not batches:
        if reader.damaged:
            raise InputError("is damaged: its first record cannot be true", fix="what wrote it?", file=path)
        return None
    seconds, fraction, offset, captured = memoryview(batches[0].rows[:ROW_SIZE]).cast("I")
    length = offset + captured
    return Opening(_digest(data[:length]), length, seconds + fraction / 1_000_000, compressed)


def _digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def _is_hole(data: bytes) -> bool:
    return not data.strip(b"\0")


class Followed:
    """A capture that is read while it grows.

    `path` is where it was last seen, `inode` identifies the file that was read there, `size` is its size in bytes when
    last seen, `grown` when that last changed (our monotonic clock), `stored` the number of bytes read.  `gone`: it is
    no longer in the directory; `missed`: it went before it was opened, which is counted when its turn comes.  `frames`
    is the number of the last packet read; a file that is opened again is read from its beginning, and the packets up
    to that one are skipped.  `health` has what the file says of itself.
    """

    def __init__(self, opening: Opening, path: Path, inode: Inode, frames: int = 0) -> None:
        self.identity, self._length, self.first, self.compressed = opening
        self.path = path
        self.inode = inode
        self.frames = frames
        self.size = 0
        self.grown = 0.0
        self.gone = self.missed = False
        self._failed: float | None = None   # since when it cannot be read
        self.health = CaptureHealth(str(path))
        self._descriptor = -1
        self._reset()

    def _reset(self) -> None:
        self.stored = 0
        self._reader: Records | None = None
        self._source: Gzip | Stored = Gzip() if self.compressed else Stored()
        self._head = b""  # bytes that are too few to recognise the format
        self._ended = False  # nothing more can be read
        self._cut_to: int | None = None  # the file was truncated to this size, and perhaps written to again
        self._hollow = False  # it was truncated, and written on after a hole
        self._passing = 0  # stored bytes whose packets are known, when it is read again after it was truncated

    def __str__(self) -> str:
        return str(self.path)

    @property
    def order(self) -> tuple[float, str]:
        """Files are read in the order of their first packets."""
        return self.first, self.path.name

    @property
    def is_open(self) -> bool:
        return self._descriptor >= 0

    @property
    def unread(self) -> bool:
        """Whether there are unread bytes."""
        return self.size > (self.stored if self._cut_to is None else self._cut_to) and not self._ended

    @property
    def finished(self) -> bool:
        """Whether nothing more is expected of it."""
        return not self.is_open and not self.unread

    @property
    def incomplete(self) -> bool:
        """Whether the bytes read so far end within a packet."""
        return self._reader is not None and self._reader.incomplete

    def see(self, size: int, now: float) -> None:
        """Note the file's present size."""
        if size != self.size:
            self.size, self.grown = size, now
        if size < self.stored and not self.compressed:
            self._cut_to = size if self._cut_to is None else min(size, self._cut_to)

    def see_itself(self, now: float) -> None:
        """The same for a file that is no longer in the directory, but still open."""
        with suppress(OSError):   # on a network file system it may really be gone, which reading will show
            self.see(os.fstat(self._descriptor).st_size, now)

    def may_be_tried_again(self, now: float) -> bool:
        """After a failed read: the disk may recover. After PATIENCE seconds of failures the file is given up: false."""
        if self._failed is None:
            self._failed = now
        self._ended = now - self._failed >= PATIENCE
        return not self._ended

    def open(self) -> None:
        """Raises OSError when it is no longer there."""
        if self._descriptor < 0:
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self) -> None:
        """Free descriptor and memory until it is opened again. How far it was read is remembered."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        ended, stored = self._ended, self.stored
        self._reset()
        self._ended, self.stored = ended, stored

    def is_same(self, descriptor: int) -> bool:
        """Whether an open file begins as this one does, or did before it was truncated."""
        if not self.compressed:
            head = os.pread(descriptor, self._length, 0)
            return _digest(head) == self.identity or (self._reader is not None and _is_hole(head))
        try:
            found = opening(descriptor, str(self.path))
        except InputError:
            return False
        return found is not None and found.identity == self.identity

    def read(self, stored: int) -> Iterator[Batch]:
        """The packets in about the next `stored` bytes. Raises OverwrittenError, and OSError when it cannot be read."""
        self.open()
        if self._reader is None:
            self.stored = 0  # read from the beginning, where the headers are that decoding needs
        if self._cut_to is not None:
            self._go_on_behind(self._cut_to)
        known = self._passing - self.stored
        data = os.pread(self._descriptor, min(stored, self._source.stored_piece, known if known > 0 else stored),
                        self.stored)
        self._check(data)
        self._failed = None
        self.stored += len(data)
        if not data:
            self.size = self.stored
        try:
            for piece in self._source.feed(data):
                yield from self._fed(piece)
        except (DamagedStreamError, InputError):
            self._ended = self.health.truncated = True
            self.health.undecoded["damaged-compression"] += 1

    def _go_on_behind(self, cut: int) -> None:
        """The file was truncated to this size, and has grown again. Unless it begins with a hole, it was written on
        from there: read it again, and skip the packets up to there."""
        self._cut_to = None
        if not _is_hole(os.pread(self._descriptor, self._length, 0)):
            self._reset()
            self._passing = cut

    def _check(self, data: bytes) -> None:
        """Raises OverwrittenError unless the bytes just read continue those read before. The file's beginning is
        checked after them: if it is unchanged now, it was unchanged when they were read.

        A writer that does not know that its file was truncated (`: > FILE`) goes on at its old position, behind a hole:
        if that is our position too, nothing is missing.
        """
        if self.compressed:
            return
        head = os.pread(self._descriptor, self._length, 0)
        if _digest(head) == self.identity:
            return
        within = self._hollow and self.incomplete  # within a packet, where zeroes may be real
        lacks = _is_hole(data[:_RECORD]) and not within
        if self._reader is None or not _is_hole(head) or lacks:
            raise OverwrittenError
        self._hollow = True

    def _fed(self, piece: bytes) -> Iterator[Batch]:
        if self._reader is None:
            piece, self._head = self._head + piece, b""
            if len(piece) < formats.MAGIC:
                self._head = piece
                return
            self._reader = formats.records(piece, self.health)
        for batch in self._reader.feed(piece):
            if self.stored <= self._passing:
                self.frames = batch.first_frame + batch.length - 1
            new = batch.behind(self.frames)
            if new.length:
                self.frames = new.first_frame + new.length - 1
                yield new
        self._ended = self._ended or self._reader.damaged
