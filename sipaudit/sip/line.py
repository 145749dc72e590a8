"""One header line to its slot and value: a function of the bytes alone, which is why its results may be remembered."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.headers import CREDENTIALS, CSEQ, FLAW, FROM, HEADERS, MAGIC_COOKIE, MARKS, TO, UNREAD, VIA
from sipaudit.sip.message import Address, Challenge, Via
from sipaudit.sip.text import TOKEN_BYTES, decode, is_token

MAX_HEADER = 8192  # bytes; longer header fields are left out

_PARTIES = (FROM, TO)
_COOKIE = MAGIC_COOKIE.encode()
_NO_NONCE = (Defect.BAD_CREDENTIALS,)
_DOUBTFUL = bytes([10, 13, 92, *range(128, 256)])  # line ends, backslash, not ASCII

Reading = tuple[int, Any]
"""Slot and value. In the slot `FLAW` the value is a `Flaw`."""


class Flaw(Struct, frozen=True, gc=False):
    """A header field with defects: where its value belongs, the value (None: unreadable), what is wrong."""

    slot: int
    value: Any
    defects: tuple[Defect, ...]


def read_line(line: bytes) -> tuple[Reading, bool] | None:
    """The reading of a line and whether it lasts (see `headers.Header`); None when the line is not plain: it begins
    with white space, or holds a line end."""
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
    mark = MARKS.get(line[:4])
    lasting = header.lasting and (mark is None or line.find(mark) < 0)
    return _reading(header.slot, header.read(value, found), found), lasting


def join(front: bytes, reading: Reading, last: bytes) -> Reading | None:
    """The reading of a line from that of its front and from what is behind the mark (`headers.MARKS`).

    None when it is not sure that `read_line` would say the same of the whole line.
    """
    slot, value = reading
    if slot == FLAW:
        return _join_digest(front, value, last)
    if not last.isalnum() and (not last or last.translate(None, TOKEN_BYTES)):
        return None
    if slot in _PARTIES:
        return None if value.tag is not None else (slot, Address(value.uri, last.decode(), None, None, value.display))
    if slot != VIA or value.branch or last == _COOKIE or front.find(b",") >= 0:
        return None
    return slot, Via(value.transport, value.host, value.port, last.decode(), value.received, value.rport)


def _join_digest(front: bytes, flaw: Flaw, last: bytes) -> Reading | None:
    """Credentials or a challenge whose realm, and name of the user, come before its nonce."""
    nonce, quote, behind = last.partition(b'"')
    if (
        flaw.defects != _NO_NONCE or not front.endswith((b", ", b",")) or not quote or behind[:1] not in (b",", b"")
        or behind.count(b'"') % 2 or len(last.translate(None, _DOUBTFUL)) < len(last)
    ):
        return None
    known: Challenge = flaw.value[0]
    if not known.realm or known.nonce or (flaw.slot == CREDENTIALS and not known.username):
        return None
    return flaw.slot, (Challenge(known.realm, nonce.decode(), known.username),)


def _reading(slot: int, value: object, found: Found) -> Reading:
    return (FLAW, Flaw(slot, value, tuple(found))) if found else (slot, value)
