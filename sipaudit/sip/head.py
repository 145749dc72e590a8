"""The head of a message whose lines are not all plain: folded, ended by LF alone, unended, or preceded by junk.

One pass over the bytes with an upper bound on everything; the parser uses it only
for messages with a line that is not plain, which are rare in real traffic.
"""

from __future__ import annotations

import re

from msgspec import Struct

from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.startline import StartLine, read_start_line

MAX_LINES = 512    # lines of a head that are read, folded ones and those before the start line included
MAX_JUNK_LINES = 8  # non-empty lines before the start line

_LINE_END = re.compile(rb"\r\n|\n|\r")
_JUNK = re.compile(rb"[^ ]*[\x00-\x1f\x7f-\xff]")  # up to the last byte before the first space that no method holds


class Head(Struct, frozen=True):
    """A head split into lines. `first` is the first non-empty line; `start` is None when no start line was found;
    `headers` are unfolded; `body` is the number of octets after the empty line, None when there is no empty line."""

    first: bytes
    start: StartLine | None
    headers: list[bytes]
    body: int | None
    defects: tuple[Defect, ...]


def take_apart(payload: bytes) -> Head:
    """Read any bytes as a head; junk and CRLFs before the start line are skipped (RFC 3261 7.5)."""
    found: Found = []
    lines, body = _lines(payload, found)
    first = lines[0] if lines else b""
    for skipped, line in enumerate(lines[:MAX_JUNK_LINES]):
        junk = _JUNK.match(line)
        start = read_start_line(line[junk.end():] if junk else line)
        if start is not None:
            if junk or skipped:
                found.append(Defect.JUNK_BEFORE_START)
            return Head(first, start, _unfold(lines[skipped + 1:], found), body, tuple(found))
    found.append(Defect.NO_START_LINE)
    return Head(first, None, [], body, tuple(found))


def _lines(payload: bytes, found: Found) -> tuple[list[bytes], int | None]:
    """The lines up to the first empty one (leading line ends are skipped), and the number of octets after it, None if
    it is not reached."""
    lines: list[bytes] = []
    start = len(payload) - len(payload.lstrip(b"\r\n"))
    for end in _LINE_END.finditer(payload, start):
        line = payload[start:end.start()]
        start = end.end()
        if not line:
            return lines, len(payload) - start
        if end[0] != b"\r\n":
            found.append(Defect.BARE_LINE_END)
        if len(lines) == MAX_LINES:
            found.append(Defect.TOO_MANY_HEADERS)
            return lines, None
        lines.append(line)
    found.append(Defect.UNENDED_HEAD)
    return ([*lines, payload[start:]] if start < len(payload) else lines), None


def _unfold(lines: list[bytes], found: Found) -> list[bytes]:
    """Join folded lines: a line that begins with white space continues the one before it (RFC 3261 7.3.1)."""
    fields: list[list[bytes]] = []
    for line in lines:
        if line[0] not in b" \t":
            fields.append([line.rstrip(b" \t")])
        elif fields:
            fields[-1].append(line.strip(b" \t"))
        else:
            found.append(Defect.NOT_A_HEADER)
    return [b" ".join(field) for field in fields]
