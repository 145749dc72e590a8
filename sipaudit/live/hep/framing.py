"""Splits a byte stream into HEP3 packets, each of which begins with its length (HEP3 specification, 2)."""

from __future__ import annotations

MAGIC = b"HEP3"
HEAD = 6  # the magic bytes and the length of the whole packet, 16 bits


class Packets:
    """Splits the bytes of one connection. Holds less than one packet (64 kB). `broken` once the bytes are not HEP3,
    since it is then unknown where the next packet begins."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.broken = False

    @property
    def held(self) -> int:
        """The number of bytes of a partial packet."""
        return len(self._held)

    @property
    def begun(self) -> bool:
        """Whether there is a partial packet."""
        return bool(self._held)

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that these bytes complete."""
        held = self._held
        held += data
        packets: list[bytes] = []
        at = 0
        while not self.broken and at < len(held):
            length = self._length(at)
            if not length or at + length > len(held):
                break
            packets.append(bytes(held[at : at + length]))
            at += length
        del held[: len(held) if self.broken else at]
        return packets

    def _length(self, at: int) -> int:
        """The length of the packet that begins at `at`; 0 where it is not known (yet)."""
        head = self._held[at : at + HEAD]
        if head[: len(MAGIC)] != MAGIC[: len(head)]:
            self.broken = True
        if self.broken or len(head) < HEAD:
            return 0
        length = int.from_bytes(head[4:], "big")
        self.broken = length < HEAD
        return 0 if self.broken else length
