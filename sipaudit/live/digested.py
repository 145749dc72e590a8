"""A file that ends with a digest of its contents, which reveals any bit that disk or memory has changed."""

from __future__ import annotations

from hashlib import blake2b
from typing import BinaryIO

_BYTES = 32


class Digested:
    """Writes to a file; `end` appends the digest of all that was written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = blake2b(digest_size=_BYTES)

    def write(self, data: bytes | memoryview) -> int:
        self._digest.update(data)
        return self._file.write(data)

    def end(self) -> None:
        self._file.write(self._digest.digest())


def whole(data: bytes) -> bytes | None:
    """The contents before the digest; None where the digest does not match."""
    written, digest = data[:-_BYTES], data[-_BYTES:]
    return written if blake2b(written, digest_size=_BYTES).digest() == digest else None
