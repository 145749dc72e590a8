"""A file that ends with a digest of what stands before: a disk or memory that changed one bit of it is found out."""

from __future__ import annotations

from hashlib import blake2b
from typing import BinaryIO

_BYTES = 32


class Digested:
    """Writes into a file, and at the end the digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = blake2b(digest_size=_BYTES)

    def write(self, data: bytes | memoryview) -> int:
        self._digest.update(data)
        return self._file.write(data)

    def end(self) -> None:
        self._file.write(self._digest.digest())


def whole(data: bytes) -> bytes | None:
    """What stands before the digest; None where it is not what was written."""
    written, digest = data[:-_BYTES], data[-_BYTES:]
    return written if blake2b(written, digest_size=_BYTES).digest() == digest else None
