"""Reads the bytes of a capture from a file, a pipe or standard input, and decompresses them."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from io import BufferedReader, FileIO, RawIOBase
from pathlib import Path
from select import select
from typing import IO, Any, Protocol, cast

from sipaudit.capture.formats import GZIP, LZ4, MAGIC, ZSTD, compression
from sipaudit.errors import InputError, unreadable
from sipaudit.mistaken import HEAD

CHUNK = 1 << 20  # bytes of a capture at a time
STDIN = "-"
SIGNALS_HEARD = 0.5  # seconds until a signal is handled that arrived just before a read


class DamagedStreamError(Exception):
    """Compressed data are cut off or corrupt; everything before was already returned."""


class Readable(Protocol):
    """A source that returns at most `size` bytes as soon as there are any, and none at the end."""

    def read1(self, size: int, /) -> bytes: ...


class _Stored:
    """A file or pipe as stored: `head` has its first bytes, which are read again, and `given` counts the bytes read."""

    def __init__(self, stream: BufferedReader) -> None:
        self._stream = stream
        self.head = stream.read(HEAD)
        self._again = self.head
        self.given = 0

    def read1(self, size: int = -1) -> bytes:
        if self._again:
            end = size if size >= 0 else len(self._again)
            data, self._again = self._again[:end], self._again[end:]
        else:
            data = self._stream.read1(size)
        self.given += len(data)
        return data

    read = read1  # what decompressors call


class _Interruptible(RawIOBase):
    """Standard input, read so that Ctrl-C always works: otherwise a signal that arrives just before a read would be
    handled only when there is something to read, and perhaps nothing is ever written again."""

    def __init__(self, stream: FileIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        while not select([self._stream], [], [], SIGNALS_HEARD)[0]:
            pass
        return self._stream.readinto(buffer)


@contextmanager
def opened(path: str) -> Iterator[BufferedReader]:
    """A file, or standard input for `-` (which stays open). Raises InputError when it cannot be opened."""
    if path == STDIN:
        raw = getattr(sys.stdin.buffer, "raw", None)
        yield BufferedReader(_Interruptible(raw)) if isinstance(raw, FileIO) else cast(BufferedReader, sys.stdin.buffer)
        return
    try:
        stream = Path(path).open("rb")  # noqa: SIM115 - closed below; only the opening may raise InputError
    except FileNotFoundError as error:
        raise InputError("does not exist", fix="check the spelling of the path", file=path) from error
    except OSError as error:
        raise unreadable(error, path, "check the path") from error
    with stream:
        yield stream


def chunks(stream: BufferedReader, path: str) -> Iterator[tuple[bytes, int]]:
    """The uncompressed bytes in pieces, each with the number of stored bytes read so far.

    Raises DamagedStreamError if compressed data are cut off or corrupt, InputError if the library for them is missing.
    """
    stored = _Stored(stream)
    source, errors = _uncompressed(stored, path)
    data = _piece(source, errors)
    while 0 < len(data) < MAGIC and (more := _piece(source, errors)):
        data += more  # make the first piece long enough to recognise the format
    while data:
        yield data, stored.given
        data = _piece(source, errors)


def _piece(source: Readable, errors: tuple[type[Exception], ...]) -> bytes:
    try:
        return source.read1(CHUNK)
    except errors as error:
        raise DamagedStreamError(str(error)) from error


def _uncompressed(stored: _Stored, path: str) -> tuple[Readable, tuple[type[Exception], ...]]:
    """The stream to read, and the exceptions that it raises on bad data."""
    kind = compression(stored.head)
    if kind == GZIP:
        return cast(Readable, gzip.GzipFile(fileobj=cast(IO[bytes], stored))), (OSError, EOFError, zlib.error)
    try:
        if kind == ZSTD:
            zstd = import_module("zstandard")
            return zstd.ZstdDecompressor().stream_reader(stored, read_across_frames=True), (OSError, zstd.ZstdError)
        if kind == LZ4:
            return import_module("lz4.frame").LZ4FrameFile(stored), (OSError, EOFError, RuntimeError)
    except ImportError as error:
        fix = "pip install 'sipaudit[compressed]', or uncompress it first"
        raise InputError(f"is compressed with {kind}, which needs an optional package", fix=fix, file=path) from error
    return stored, (OSError,)
