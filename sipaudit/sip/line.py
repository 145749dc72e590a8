"""One header line to its slot and value: a function of the bytes alone, which is why its results may be remembered."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.headers import CSEQ, FLAW, HEADERS, UNREAD
from sipaudit.sip.text import decode, is_token

MAX_HEADER = 8192  # bytes; longer header fields are left out

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
    if b"\n" in line or b"\r" in line or line[:1] in b" \t":
        return None
    name, colon, raw = line.partition(b":")
    header = HEADERS.get(name) or HEADERS.get(name.strip(b" \t").lower())
    found: Found = []
    if len(line) > MAX_HEADER:
        found.append(Defect.LONG_HEADER)
        return _reading(UNREAD, None, found), False
    if not colon or header is None:
        if not colon or not is_token(name.rstrip(b" \t")):
            found.append(Defect.NOT_A_HEADER)
        decode(line, found)
        return _reading(UNREAD, None, found), True
    text = decode(raw.strip(b" \t"), found)
    if not text and header.slot <= CSEQ:  # an empty mandatory field is a missing one
        return _PASSED_OVER, True
    return _reading(header.slot, header.read(text, found), found), header.lasting


def _reading(slot: int, value: object, found: Found) -> Reading:
    return (FLAW, Flaw(slot, value, tuple(found))) if found else (slot, value)
