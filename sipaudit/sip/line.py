"""One header line to its slot and value: a function of the bytes alone, which is why its results may be remembered."""

from __future__ import annotations

from sys import intern
from typing import Any

from msgspec import Struct

from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.headers import (
    CALL_ID,
    CREDENTIALS,
    CSEQ,
    FLAW,
    FROM,
    HEADERS,
    MAGIC_COOKIE,
    MARKS,
    TO,
    UNREAD,
    VIA,
)
from sipaudit.sip.message import Address, Challenge, CSeq, Via
from sipaudit.sip.text import TOKEN_BYTES, decode, is_token

MAX_HEADER = 8192  # bytes; longer header fields are left out

_COOKIE = MAGIC_COOKIE.encode()
_NO_NONCE = (Defect.BAD_CREDENTIALS,)
_TOKENS_AS_LETTERS = bytes(ord("a") if byte in TOKEN_BYTES else ord(" ") for byte in range(256))
_LF, _CR, _COMMA, _BACKSLASH = b"\n\r,\\"
_MANY_DIGITS = 10

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
    mark = MARKS.get(line[:1])
    lasting = header.lasting and (mark is None or line.find(mark) < 0)
    return _reading(header.slot, header.read(value, found), found), lasting


def read_usual(line: bytes) -> Reading | None:
    """The reading of a Call-ID or CSeq as nearly all write it; None when `read_line` might not say the same."""
    text = line.decode() if line.isascii() else ""
    if not text.isprintable():
        return None
    name, *words = text.split(" ")
    if name == "Call-ID:" and len(words) == 1 and words[0]:
        return CALL_ID, words[0]
    if name == "CSeq:" and len(words) == 2 and words[0].isdigit() and len(words[0]) < _MANY_DIGITS and words[1]:
        return CSEQ, CSeq(int(words[0]), intern(words[1]))
    return None


def join(front: bytes, reading: Reading, last: bytes) -> Reading | None:
    """The reading of a line from that of its front and from what was cut out of it (`headers.MARKS`).

    None when `read_line` might not say the same of the whole line.
    """
    slot, value = reading
    if slot == FLAW:
        return _join_digest(front, value, last)
    if not last.isalnum() and not last.translate(_TOKENS_AS_LETTERS).isalnum():
        return None
    if slot == VIA:
        if value.branch or last == _COOKIE or _COMMA in front:
            return None
        return VIA, Via(value.transport, value.host, value.port, last.decode(), value.received, value.rport)
    if (slot == FROM or slot == TO) and value.tag is None:
        return slot, Address(value.uri, last.decode(), None, None, value.display)
    return None


def _join_digest(front: bytes, flaw: Flaw, last: bytes) -> Reading | None:
    """Credentials or a challenge whose realm, and name of the user, come before its nonce."""
    nonce, *behind = last.split(b'"')
    if (
        flaw.defects != _NO_NONCE or front.rstrip()[-1] != _COMMA or len(behind) % 2 == 0
        or (behind[0][0] != _COMMA if behind[0] else len(behind) > 1)
        or not last.isascii() or _BACKSLASH in last or _LF in last or _CR in last
    ):
        return None
    known: Challenge = flaw.value[0]
    if not known.realm or known.nonce or (flaw.slot == CREDENTIALS and not known.username):
        return None
    return flaw.slot, (Challenge(known.realm, nonce.decode(), known.username),)


def _reading(slot: int, value: object, found: Found) -> Reading:
    return (FLAW, Flaw(slot, value, tuple(found))) if found else (slot, value)
