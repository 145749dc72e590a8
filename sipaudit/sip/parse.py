"""Bytes to a SIP message.  Never raises: what is wrong is listed in `defects`, what cannot be placed is `Malformed`.

The way of a usual message: split the head into lines, look every line up in the
memo of what was read before (`memo`), put the values into a row by their slot,
build the message from the row.  A line that is not in the memo is read by the
tolerant readers (`line`, `headers`); one that is not plain (folded, bare LF)
sends the message the long way round (`head`), which ends in the same row.
"""

from __future__ import annotations

from typing import Any

from sipaudit.sip.address import MAX_VALUES
from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.head import MAX_LINES, take_apart
from sipaudit.sip.headers import (
    CALL_ID, CONTACT, CONTENT_LENGTH, CSEQ, FLAW, FROM, TO, UNREAD, UNREADABLE_VIA, VIA,
)
from sipaudit.sip.line import Flaw, Reading, read_line
from sipaudit.sip.memo import Memo
from sipaudit.sip.message import Malformed, Message, Request, Response
from sipaudit.sip.startline import RequestLine, StartLine, StatusLine, read_start_line
from sipaudit.sip.text import decode

LASTING_LINES = 16384  # two generations of about 400 bytes a line: 13 MB
PASSING_LINES = 4096   # what a second or two bring: a request and its responses share Via, From, Call-ID and CSeq
MAX_START = 200        # characters of a malformed message's first line that are kept

Row = list[Any]

_EMPTY: Row = [*[None] * FLAW, ()]  # flaws are never None, so that every flaw counts as a repetition
_MISSING = {
    VIA: Defect.MISSING_VIA, FROM: Defect.MISSING_FROM, TO: Defect.MISSING_TO, CALL_ID: Defect.MISSING_CALL_ID,
    CSEQ: Defect.MISSING_CSEQ,
}


class Parser:
    """A parser with its memory; `lasting` and `passing` bound it in lines, 0 switches it off (the values stay)."""

    def __init__(self, lasting: int = LASTING_LINES, passing: int = PASSING_LINES) -> None:
        self._starts: Memo[StartLine] = Memo(passing)
        self._lasting: Memo[Reading] = Memo(lasting)
        self._passing: Memo[Reading] = Memo(passing)
        self._known_starts = self._starts.young.get
        self._known = self._lasting.young.get

    def parse(self, payload: bytes) -> Message:
        """Any bytes as a message."""
        end = payload.find(b"\r\n\r\n")
        lines = payload[:end].split(b"\r\n", MAX_LINES)
        line = lines.pop(0)
        start = self._known_starts(line) or self._learn_start(line)
        row = _EMPTY.copy()
        if start is None or end < 0 or not self._fill(row, lines):
            return self._parse_unusual(payload)
        return _build(start, row, len(payload) - end - 4, line)

    def _parse_unusual(self, payload: bytes) -> Message:
        head = take_apart(payload)
        if head.start is None:
            return _malformed(head.first, head.defects)
        row = _EMPTY.copy()
        row[FLAW] = head.defects
        self._fill(row, head.headers)
        return _build(head.start, row, head.body, head.first)

    def _fill(self, row: Row, lines: list[bytes]) -> bool:
        """Put the value of every line into its slot; False when a line is not plain."""
        known = self._known
        for line in lines:
            reading = known(line) or self._learn(line)
            if reading is None:
                return False
            slot, value = reading
            if slot:
                if row[slot] is None:
                    row[slot] = value
                else:
                    _repeat(row, slot, value)
        return True

    def _learn_start(self, line: bytes) -> StartLine | None:
        start = self._starts.recall(line)
        if start is None and b"\n" not in line and b"\r" not in line:
            start = read_start_line(line)
            if start is not None:
                self._starts.store(line, start)
        return start

    def _learn(self, line: bytes) -> Reading | None:
        known = self._passing.young.get(line) or self._lasting.recall(line) or self._passing.recall(line)
        if known is not None:
            return known
        read = read_line(line)
        if read is None:
            return None
        reading, lasting = read
        (self._lasting if lasting else self._passing).store(line, reading)
        return reading


def _repeat(row: Row, slot: int, value: Any) -> None:
    """A second value for a slot, or a header field with flaws."""
    if slot == FLAW:
        flaw: Flaw = value
        row[FLAW] += flaw.defects
        if flaw.slot == UNREAD or flaw.value is None:
            return
        slot, value = flaw.slot, flaw.value
        if row[slot] is None:
            row[slot] = value
            return
    if slot >= CONTACT:
        if len(row[slot]) + len(value) > MAX_VALUES:
            row[FLAW] += (Defect.TOO_MANY_VALUES,)
        row[slot] = (row[slot] + value)[:MAX_VALUES]
    elif slot != VIA:  # a second Via is another hop's
        row[FLAW] += (Defect.DUPLICATE_HEADER,)


def _build(start: StartLine, row: Row, body: int | None, first: bytes) -> Message:
    (_, via, from_, to, call_id, cseq, length, expires, user_agent, event, replaces, rack, min_expires, retry_after,
     contacts, routes, credentials, challenges, defects) = row
    asks = start.__class__ is RequestLine
    if (
        defects or start.defects or length != body or via is None or from_ is None or to is None or call_id is None
        or cseq is None or (asks and cseq.method != start.method)
    ):
        defects = _judge(start, row, body)
        if _is_lost(start, row):
            return _malformed(first, defects)
    if asks:
        return Request(
            start.method, start.uri, via, from_, to, call_id, cseq, contacts or (), expires, user_agent, routes or (),
            credentials or (), event, replaces, rack, defects,
        )
    return Response(
        start.status, start.reason, via, from_, to, call_id, cseq, contacts or (), expires, min_expires, retry_after,
        user_agent, challenges or (), defects,
    )


def _judge(start: StartLine, row: Row, body: int | None) -> tuple[str, ...]:
    """All defects of a message, each once: the head's, the start line's, the headers', then what spans them."""
    found: Found = [*start.defects, *row[FLAW]]
    found += [word for slot, word in _MISSING.items() if row[slot] is None]
    cseq = row[CSEQ]
    if isinstance(start, RequestLine) and cseq is not None and cseq.method not in ("", start.method):
        found.append(Defect.CSEQ_METHOD)
    length = row[CONTENT_LENGTH]
    if body is not None and length is not None and length != body:
        found.append(Defect.CONTENT_LENGTH_LONG if length > body else Defect.CONTENT_LENGTH_SHORT)
    return tuple(dict.fromkeys(found))


def _is_lost(start: StartLine, row: Row) -> bool:
    """Whether the message belongs to nobody: no status code, or a mandatory header that is missing or unreadable."""
    status = isinstance(start, StatusLine) and not start.status
    return status or row[VIA] is UNREADABLE_VIA or any(row[slot] is None for slot in _MISSING)


def _malformed(first: bytes, defects: tuple[str, ...]) -> Malformed:
    return Malformed(decode(first[:4 * MAX_START], [])[:MAX_START], tuple(dict.fromkeys(defects)))


parse = Parser().parse
"""The parser that everybody shares."""
