"""Names in a DNS message, with compression pointers (RFC 1035 4.1.4).

Any name may point into any earlier name, and a message of 64 kB can hold thousands that point at one name of 127
labels. So the text at each offset is decoded only once: the work is linear in the message's size, whatever it holds.
"""

from __future__ import annotations

import re

POINTER, LABEL = 0xC0, 63      # length bytes: from POINTER on a pointer, up to LABEL a label
NAME_BYTES = 255               # of a name on the wire (RFC 1035 2.3.4)

_plain = re.compile(rb"[A-Za-z0-9_-]+").fullmatch
_ESCAPED = b'"().;\\@$'        # characters that mean something in a zone file (RFC 1035 5.1)


class DamagedError(Exception):
    """The bytes at an offset are not a valid name, or not a valid record."""


class Names:
    """The names of one message. An invalid name raises DamagedError, or IndexError at the end of the message."""

    def __init__(self, wire: bytes) -> None:
        self._wire = wire
        self._known: dict[int, tuple[str, int]] = {}   # the text, and how many bytes it would take without pointers

    def at(self, place: int) -> tuple[str, int]:
        """The name at `place` (lower case, without the final dot, empty for the root), and the offset behind it."""
        return self._text(place), self._behind(place)

    def _text(self, place: int) -> str:
        wire, known = self._wire, self._known
        pieces: list[tuple[int, bytes]] = []
        at = earliest = place
        while at not in known:
            size = wire[at]
            if size >= POINTER:
                pieces.append((at, b""))
                at = (size & 0x3F) << 8 | wire[at + 1]
                if at >= earliest:   # a pointer must go backwards, or there could be loops
                    raise DamagedError
                earliest = at
            elif size > LABEL:
                raise DamagedError
            elif size:
                pieces.append((at, wire[at + 1:at + 1 + size]))
                at += 1 + size
            else:
                known[at] = "", 1
        text, length = known[at]
        for at, label in reversed(pieces):
            if label:
                text, length = (f"{_shown(label)}.{text}" if text else _shown(label)), length + 1 + len(label)
            if length > NAME_BYTES:
                raise DamagedError
            known[at] = text, length
        return text

    def _behind(self, place: int) -> int:
        while 0 < (size := self._wire[place]) <= LABEL:
            place += 1 + size
        return place + (2 if size else 1)


def _shown(label: bytes) -> str:
    if _plain(label):
        return label.decode().lower()
    return "".join(map(_character, label))


def _character(byte: int) -> str:
    if byte in _ESCAPED:
        return f"\\{byte:c}"
    return f"{byte:c}".lower() if 0x20 < byte < 0x7F else f"\\{byte:03d}"
