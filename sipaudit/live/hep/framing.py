"""HEP3 packets out of a byte stream: each says at its beginning how long it is (HEP3 specification, 2)."""

from __future__ import annotations

MAGIC = b"HEP3"
HEAD = 6  # the magic bytes and the length of the whole packet, 16 bits


class Packets:
    """Cuts the bytes of one connection. It holds less than one packet (64 kB); `broken` once the bytes are none of
    HEP3: where the next packet would begin is not known then."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.broken = False

    @property
    def held(self) -> int:
        """Bytes of a packet that has come in part."""
        return len(self._held)

    @property
    def begun(self) -> bool:
        """Whether a packet has come in part."""
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
        """How long the packet is that begins at `at`; 0 where that is not known (yet)."""
        head = self._held[at : at + HEAD]
        if head[: len(MAGIC)] != MAGIC[: len(head)]:
            self.broken = True
        if self.broken or len(head) < HEAD:
            return 0
        length = int.from_bytes(head[4:], "big")
        self.broken = length < HEAD
        return 0 if self.broken else length
