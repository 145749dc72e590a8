"""One header line to its slot and value: a function of the bytes alone, which is why its results may be remembered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.headers import CREDENTIALS, CSEQ, FLAW, HEADERS, MAGIC_COOKIE, UNREAD, VIA, Header
from sipaudit.sip.message import Address, Challenge, Via
from sipaudit.sip.text import TOKEN_BYTES, decode, is_token

MAX_HEADER = 8192  # bytes; longer header fields are left out

_DOUBTFUL = bytes([10, 13, 92, *range(128, 256)])  # line ends, backslash, not ASCII

Reading = tuple[int, Any]
"""Slot and value. In the slot `FLAW` the value is a `Flaw`."""


class Flaw(Struct, frozen=True, gc=False):
    """A header field with defects: where its value belongs, the value (None: unreadable), what is wrong."""

    slot: int
    value: Any
    defects: tuple[Defect, ...]


_PASSED_OVER: Reading = (UNREAD, None)


def read_line(line: bytes) -> tuple[Reading, bool] | None:
    """The reading of a line and whether it is lasting (see `headers.Header`); None when the line is not plain."""
    found: Found = []
    text = decode(line, found)
    if "\n" in text or "\r" in text or text[:1] in " \t":
        return None
    if len(line) > MAX_HEADER:
        return _reading(UNREAD, None, [Defect.LONG_HEADER]), False
    name, colon, value = text.partition(":")
    name = name.rstrip(" \t")
    header = HEADERS.get(name.lower()) if colon else None
    if header is None:
        if not colon or not is_token(name):
            found.append(Defect.NOT_A_HEADER)
        return _reading(UNREAD, None, found), True
    value = value.strip()
    if not value and header.slot <= CSEQ:  # an empty mandatory field is a missing one
        return _reading(UNREAD, None, found), True
    lasting = header.lasting and not (header.mark and line.find(header.mark) >= 0)
    return _reading(header.slot, header.read(value, found), found), lasting


def read_by_front(line: bytes, header: Header, read_front: Callable[[bytes], Reading | None]) -> Reading | None:
    """The reading of a line from that of its front, which ends where what is new in every transaction begins: the
    branch of a Via, the tag of From or To, the nonce of a digest.  None when it is not sure that `read_line` would
    say the same."""
    front, mark, rest = line.partition(header.mark)
    if not mark:
        return None
    slot = header.slot
    if slot >= CREDENTIALS:
        return _digest_by_front(front, rest, read_front)
    if not rest.isalnum() and (not rest or rest.translate(None, TOKEN_BYTES)):
        return None
    reading = read_front(front)
    if reading is None or reading[0] != slot:
        return None
    value = reading[1]
    last = rest.decode()
    if slot == VIA:
        if value.branch or last == MAGIC_COOKIE or front.find(b",") >= 0:
            return None
        return slot, Via(value.transport, value.host, value.port, last, value.received, value.rport)
    return None if value.tag is not None else (slot, Address(value.uri, last, None, None, value.display))


def _digest_by_front(front: bytes, rest: bytes, read_front: Callable[[bytes], Reading | None]) -> Reading | None:
    """Credentials or a challenge whose realm, and name of the user, come before its nonce."""
    nonce, _, behind = rest.partition(b'"')
    if not front.endswith((b" ", b",")) or behind.count(b'"') % 2 or len(rest.translate(None, _DOUBTFUL)) < len(rest):
        return None
    reading = read_front(front)
    if reading is None or reading[0] != FLAW or reading[1].defects != (Defect.BAD_CREDENTIALS,):
        return None
    slot = reading[1].slot
    known: Challenge = reading[1].value[0]
    if not known.realm or known.nonce or (slot == CREDENTIALS and not known.username):
        return None
    return slot, (Challenge(known.realm, nonce.decode(), known.username),)


def _reading(slot: int, value: object, found: Found) -> Reading:
    return (FLAW, Flaw(slot, value, tuple(found))) if found else (slot, value)
