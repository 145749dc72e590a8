"""One header line to its slot and value: a function of the bytes alone, which is why its results may be remembered."""

from __future__ import annotations

import re
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
    NONCE,
    TO,
    UNREAD,
    VIA,
)
from sipaudit.sip.message import Address, Challenge, CSeq, Via
from sipaudit.sip.text import TOKEN_BYTES, decode, is_token

MAX_HEADER = 8192  # bytes; longer header fields are left out

_COOKIE = MAGIC_COOKIE.encode()
_NO_NONCE = (Defect.BAD_CREDENTIALS,)
_ENCLOSING = re.compile(b'["<>]')
_CALL_ID = re.compile(rb"Call-ID: ([!-~]+)\Z")
_CSEQ = re.compile(rb"CSeq: ([0-9]{1,9}) ([A-Z]+)\Z")

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


def read_usual(line: bytes) -> Reading | None:
    """The reading of a Call-ID or CSeq as nearly all write it; None when it is not sure that `read_line` says the same.
    """
    usual = _CALL_ID.match(line)
    if usual is not None:
        return CALL_ID, usual[1].decode()
    usual = _CSEQ.match(line)
    if usual is not None:
        return CSEQ, CSeq(int(usual[1]), intern(usual[2].decode()))
    return None


def cut(line: bytes, mark: bytes) -> tuple[bytes, bytes] | None:
    """The front of a line, and what is new in it: a branch or a tag, or all from the nonce on (`headers.MARKS`).

    The front is the line without the branch or the tag, wherever that stands.  None when there is no mark, or when
    the mark might stand in quotes or brackets.
    """
    front, mark, last = line.partition(mark)
    if not mark:
        return None
    if last.find(b";") >= 0 and mark != NONCE:
        last, semicolon, behind = last.partition(b";")
        if _ENCLOSING.search(behind):
            return None
        front += semicolon + behind
    return front, last


def join(front: bytes, reading: Reading, last: bytes) -> Reading | None:
    """The reading of a line from that of its front and from what was cut out of it.

    None when it is not sure that `read_line` would say the same of the whole line.
    """
    slot, value = reading
    if slot == FLAW:
        return _join_digest(front, value, last)
    if not last.isalnum() and (not last or last.translate(None, TOKEN_BYTES)):
        return None
    if slot == VIA:
        if value.branch or last == _COOKIE or front.find(b",") >= 0:
            return None
        return VIA, Via(value.transport, value.host, value.port, last.decode(), value.received, value.rport)
    if (slot == FROM or slot == TO) and value.tag is None:
        return slot, Address(value.uri, last.decode(), None, None, value.display)
    return None


def _join_digest(front: bytes, flaw: Flaw, last: bytes) -> Reading | None:
    """Credentials or a challenge whose realm, and name of the user, come before its nonce."""
    nonce, _, behind = last.partition(b'"')
    known = flaw.value
    if (
        flaw.defects != _NO_NONCE or not front.endswith((b", ", b",")) or behind.count(b'"') % 2
        or not last.isascii() or last.find(b"\\") >= 0 or last.find(b"\n") >= 0 or last.find(b"\r") >= 0
        or (behind[:1] != b"," if behind else last[-1:] != b'"')
    ):
        return None
    challenge: Challenge = known[0]
    if not challenge.realm or challenge.nonce or (flaw.slot == CREDENTIALS and not challenge.username):
        return None
    return flaw.slot, (Challenge(challenge.realm, nonce.decode(), challenge.username),)


def _reading(slot: int, value: object, found: Found) -> Reading:
    return (FLAW, Flaw(slot, value, tuple(found))) if found else (slot, value)
