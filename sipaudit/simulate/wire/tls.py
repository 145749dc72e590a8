"""TLS 1.2 as a tap sees it (RFC 5246): the handshake, and records that can be decrypted with the key log.

The cipher suite is TLS_RSA_WITH_RC4_128_SHA, which phones of that time used and which needs no library. Without a key
log the records are random bytes of the same length: these are cheap, and look the same without the keys.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import struct
from collections.abc import Callable, Iterator

HANDSHAKE, APPLICATION, ALERT, CHANGE = 22, 23, 21, 20
MAC_LENGTH, KEY_LENGTH = 20, 16
SUITE = b"\x00\x05"
LABELS = (b"client finished", b"server finished")


class Session:
    """One connection's TLS; side 0 is the phone. `keys` receives the key log line; None: no key log is wanted."""

    def __init__(self, chance: random.Random, keys: Callable[[str], object] | None) -> None:
        self._chance = chance
        self._master = chance.randbytes(48)
        self._randoms = chance.randbytes(32), chance.randbytes(32)
        self._said = b""          # handshake messages so far, which Finished authenticates
        self._sides: tuple[Side, Side] | None = None
        if keys is not None:
            keys(f"CLIENT_RANDOM {self._randoms[0].hex()} {self._master.hex()}\n")
            self._sides = _sides(self._master, self._randoms)

    def client_hello(self) -> bytes:
        return self._says(_handshake(1, b"\x03\x03" + self._randoms[0] + b"\0\0\x02" + SUITE + b"\x01\0"))

    def server_hello(self) -> bytes:
        """ServerHello, a Certificate of random bytes, ServerHelloDone."""
        hello = self._says(_handshake(2, b"\x03\x03" + self._randoms[1] + b"\0" + SUITE + b"\0"))
        return hello + self._says(_handshake(11, self._chance.randbytes(900)) + _handshake(14, b""))

    def key_exchange(self) -> bytes:
        return self._says(_handshake(16, b"\x01\x00" + self._chance.randbytes(256))) + self.finished(0)

    def finished(self, side: int) -> bytes:
        """ChangeCipherSpec, and Finished as the first encrypted record of this side."""
        verify = _prf(self._master, LABELS[side], hashlib.sha256(self._said).digest(), 12)
        message = _handshake(20, verify)
        self._said += message
        return record(CHANGE, b"\x01") + self.sealed(side, message, HANDSHAKE)

    def sealed(self, side: int, content: bytes, kind: int = APPLICATION) -> bytes:
        """A record with this content."""
        if self._sides is None:
            return record(kind, self._chance.randbytes(len(content) + MAC_LENGTH))
        return record(kind, self._sides[side].sealed(kind, content))

    def _says(self, messages: bytes) -> bytes:
        self._said += messages
        return record(HANDSHAKE, messages)


class Side:
    """The encryption of one side: its keys, and its position in key stream and sequence."""

    def __init__(self, mac_key: bytes, key: bytes) -> None:
        self._mac_key = mac_key
        self._stream = _rc4(key)
        self._count = 0

    def sealed(self, kind: int, content: bytes) -> bytes:
        """Content and MAC, encrypted (RFC 5246 6.2.3.1)."""
        head = struct.pack("!QBHH", self._count, kind, 0x0303, len(content))
        self._count += 1
        whole = content + hmac.digest(self._mac_key, head + content, "sha1")
        return bytes(byte ^ other for byte, other in zip(whole, self._stream, strict=False))


def record(kind: int, content: bytes) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(content)) + content


def _handshake(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + len(content).to_bytes(3, "big") + content


def _sides(master: bytes, randoms: tuple[bytes, bytes]) -> tuple[Side, Side]:
    """The keys of both sides (RFC 5246 6.3)."""
    block = _prf(master, b"key expansion", randoms[1] + randoms[0], 2 * (MAC_LENGTH + KEY_LENGTH))
    macs, keys = block[: 2 * MAC_LENGTH], block[2 * MAC_LENGTH :]
    return Side(macs[:MAC_LENGTH], keys[:KEY_LENGTH]), Side(macs[MAC_LENGTH:], keys[KEY_LENGTH:])


def _prf(secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """The pseudo-random function of TLS 1.2 (RFC 5246 5)."""
    seed = label + seed
    made, chain = b"", seed
    while len(made) < length:
        chain = hmac.digest(secret, chain, "sha256")
        made += hmac.digest(secret, chain + seed, "sha256")
    return made[:length]


def _rc4(key: bytes) -> Iterator[int]:
    """The key stream of RC4 (RFC 7465 forbids it; nothing here has to be secret)."""
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) & 0xFF
        state[i], state[j] = state[j], state[i]
    i = j = 0
    while True:
        i = (i + 1) & 0xFF
        one = state[i]
        j = (j + one) & 0xFF
        other = state[i] = state[j]
        state[j] = one
        yield state[(one + other) & 0xFF]
