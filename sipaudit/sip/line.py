"""Parses one header line into its slot and value: a function of the bytes alone, so that its results can be cached."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.headers import CSEQ, FLAW, HEADERS, UNREAD
from sipaudit.sip.text import decode, is_token

MAX_HEADER = 8192  # bytes; longer header fields are left out

Field = tuple[int, Any]
"""A parsed header field: its slot and value. In the slot `FLAW` the value is a `Flaw`."""


class Flaw(Struct, frozen=True, gc=False):
    """A header field with defects: the slot and value (None: unreadable) that it would have, and the defects."""

    slot: int
    value: Any
    defects: tuple[Defect, ...]


def read_line(line: bytes) -> tuple[Field, bool] | None:
    """Parse a line; returns its field and whether it is lasting (see `headers.Header`), or None when the line is not
    plain: it begins with white space, or contains a line end."""
    found: Found = []
    text = decode(line, found)
    if "\n" in text or "\r" in text or text[:1] in " \t":
        return None
    if len(line) > MAX_HEADER:
        return _field(UNREAD, None, [Defect.LONG_HEADER]), False
    name, colon, value = text.partition(":")
    header = HEADERS.get(name) or HEADERS.get(name.rstrip(" \t").lower())
    if header is None or not colon:
        if not colon or not is_token(name.rstrip(" \t")):
            found.append(Defect.NOT_A_HEADER)
        return _field(UNREAD, None, found), True
    value = value.strip()
    if not value and header.slot <= CSEQ:  # an empty mandatory field counts as missing
        return _field(UNREAD, None, found), True
    return _field(header.slot, header.read(value, found), found), header.lasting


def _field(slot: int, value: object, found: Found) -> Field:
    return (FLAW, Flaw(slot, value, tuple(found))) if found else (slot, value)
