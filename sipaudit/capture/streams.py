"""The bytes of a capture, uncompressed, from whatever holds them."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from importlib import import_module
from io import BufferedReader
from pathlib import Path
from typing import IO, Protocol, cast

from ..errors import InputError
from .formats import GZIP, HEAD, LZ4, ZSTD, compression

CHUNK = 1 << 20  # bytes of a capture at a time
STDIN = "-"


class DamagedStreamError(Exception):
    """Compressed data break off or contradict themselves; what came before was given."""


class Readable(Protocol):
    """What gives at most `size` bytes, as soon as there are some, and none at the end."""

    def read1(self, size: int, /) -> bytes: ...


class _Stored:
    """A file or pipe as it is stored: its first bytes can be looked at, and `given` counts what was read."""

    def __init__(self, stream: BufferedReader) -> None:
        self._stream = stream
        self.head = stream.read(HEAD)
        self._again = self.head
        self.given = 0

    def read1(self, size: int = -1) -> bytes:
        data, self._again = self._again or self._stream.read1(size), b""
        self.given += len(data)
        return data

    read = read1  # what decompressors call


def open_binary(path: str) -> BufferedReader:
    """A file, or standard input for `-`. Raises InputError when it cannot be opened."""
    if path == STDIN:
        return cast(BufferedReader, sys.stdin.buffer)
    try:
        return Path(path).open("rb")
    except FileNotFoundError as error:
        raise InputError("does not exist", fix="check the spelling of the path", file=path) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", fix="check its permissions", file=path) from error


def chunks(stream: BufferedReader, path: str) -> Iterator[tuple[bytes, int]]:
    """The uncompressed bytes, each piece with the number of stored bytes that it took.

    Raises DamagedStreamError where compressed data break off, InputError when the library for them is missing.
    """
    stored = _Stored(stream)
    source, errors = _uncompressed(stored, path)
    taken = 0
    while data := _piece(source, errors):
        yield data, stored.given - taken
        taken = stored.given


def _piece(source: Readable, errors: tuple[type[Exception], ...]) -> bytes:
    try:
        return source.read1(CHUNK)
    except errors as error:
        raise DamagedStreamError(str(error)) from error


def _uncompressed(stored: _Stored, path: str) -> tuple[Readable, tuple[type[Exception], ...]]:
    """The stream to read, and what it raises on bad data."""
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
