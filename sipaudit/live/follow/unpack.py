"""The bytes of a file as they come: as stored, or out of gzip, which tcpdump can leave to `-z gzip`."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from sipaudit.capture.streams import DamagedStreamError

PIECE = 1 << 20  # bytes given at a time, at most

_GZIP = 31  # zlib's number for the gzip format with the largest window


class Stored:
    """What is not compressed."""

    stored_piece = PIECE

    def feed(self, data: bytes) -> Iterator[bytes]:
        if data:
            yield data


class Gzip:
    """A gzip file, of several members too, in pieces; zeroes behind a member are padding (RFC 1952 2.2)."""

    stored_piece = 1 << 14  # little may become much: a thousand times as much in the worst case

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Raises DamagedStreamError where the data are none of gzip."""
        try:
            while data:
                if self._member.eof:
                    data = data.lstrip(b"\0")
                    self._member = zlib.decompressobj(_GZIP)
                    continue
                piece = self._member.decompress(data, PIECE)
                data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
                if piece:
                    yield piece
        except zlib.error as error:
            raise DamagedStreamError(str(error)) from error
