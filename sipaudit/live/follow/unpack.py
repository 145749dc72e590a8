"""The bytes of a growing file: as stored, or uncompressed from gzip (as by `tcpdump -z gzip`)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from sipaudit.capture.streams import DamagedStreamError

PIECE = 1 << 20  # bytes returned at a time, at most

_GZIP = 31  # zlib's number for the gzip format with the largest window


class Stored:
    """A file that is not compressed."""

    stored_piece = PIECE

    def feed(self, data: bytes) -> Iterator[bytes]:
        if data:
            yield data


class Gzip:
    """Unpacks a gzip file, also of several members, in pieces; zeroes after a member are padding (RFC 1952 2.2)."""

    stored_piece = 1 << 14  # small, since bytes may grow a thousandfold in the worst case

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The uncompressed pieces. Raises DamagedStreamError where the data are not valid gzip."""
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
