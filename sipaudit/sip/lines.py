"""Bytes to a SIP message, line by line: whatever they are.

The head is split into lines, every line is looked up in the memo of what was
read before, the values are put into a row by their slot, and the message is
built from the row.  A line that is in no memo is read by its front (`front`)
when that is known, else by the tolerant readers (`line`, `headers`); one that is
not plain (folded, bare LF) sends the message the long way round (`head`), which
ends in the same row.
"""

from __future__ import annotations

from math import inf
from typing import Any, TypeVar

from sipaudit.sip.address import MAX_VALUES
from sipaudit.sip.defects import Defect, Found
from sipaudit.sip.front import COLON, MARKS, NONCE, PARAMETERS, Front, divide, read_front
from sipaudit.sip.head import MAX_LINES, take_apart
from sipaudit.sip.headers import (
    CALL_ID,
    CONTACT,
    CONTENT_LENGTH,
    CSEQ,
    FLAW,
    FROM,
    TO,
    UNREAD,
    UNREADABLE_VIA,
    VIA,
)
from sipaudit.sip.line import Field, Flaw, read_line
from sipaudit.sip.message import Malformed, Message, Request, Response
from sipaudit.sip.startline import StartLine, read_start_line
from sipaudit.sip.text import decode

MAX_LASTING = 24576    # lines of the memo, and as many fronts and tails: together less than 40 MB
FRESH = 6              # for one in so many of these it is the first time: who only registers is read but in a moment
MET = 1 << 20          # places to note what was seen, of which a sixteenth is used
MAX_PASSING = 1024     # lines of the last moments: a request and its responses share Via, From, Call-ID and CSeq
MAX_REMEMBERED = 1024  # bytes of a line; longer ones are read again each time
READ_COST = 600        # bytes that a reading takes beside the text of its line, which is there twice
MAX_START = 200        # characters of a malformed message's first line that are kept

Known = TypeVar("Known")
Row = list[Any]

EMPTY: Row = [*[None] * FLAW, ()]  # flaws are never None, so that every flaw counts as a repetition
_MISSING = {
    VIA: Defect.MISSING_VIA, FROM: Defect.MISSING_FROM, TO: Defect.MISSING_TO, CALL_ID: Defect.MISSING_CALL_ID,
    CSEQ: Defect.MISSING_CSEQ,
}


class Memo(dict[bytes, Known]):
    """What lasts, by its bytes; `fresh` is what of it was seen for the first time just now."""

    __slots__ = ("fresh",)

    def __init__(self) -> None:
        super().__init__()
        self.fresh: list[bytes] = []

    def clear(self) -> None:
        super().clear()
        self.fresh.clear()

    def pass_by(self) -> int:
        """The moment has passed: forget what is fresh. So much was held of it."""
        fresh, forget = self.fresh, self.pop
        for key in fresh:
            forget(key, None)
        held = 2 * sum(map(len, fresh)) + READ_COST * len(fresh)
        fresh.clear()
        return held


class LineParser:
    """A parser with its memory of at most `limit` lasting lines; 0 switches the memory off, which changes no message.

    A header line means the same wherever it stands, so its reading is a function
    of its bytes and remembering it cannot make it wrong.  Lines that are new in
    every transaction have a small memo of their own, so that they push nothing
    lasting out; of these the fronts last.  What lasts is forgotten after the
    moment in which it was first seen, and stays from the second one on.  A full
    memo is emptied: no order to keep, nothing to search.
    """

    __slots__ = ("_count", "_fresh", "_fronts", "_held", "_kept", "_lasting", "_limit", "_longest", "_met",
                 "_most_fresh", "_passing", "_passing_limit", "_room", "_starts")

    def __init__(self, limit: int = MAX_LASTING) -> None:
        self._limit = limit
        self._room = inf
        self._held = 0
        self._passing_limit = min(limit, MAX_PASSING)
        self._most_fresh = limit // FRESH
        self._longest = MAX_REMEMBERED if limit else 0
        self._starts: dict[bytes, StartLine] = {}
        self._lasting: Memo[Field] = Memo()
        self._passing: dict[bytes, Field] = {}
        self._fronts: Memo[Front] = Memo()
        self._kept: list[Memo[Any]] = [self._lasting, self._fronts]  # what lasts
        self._met = bytearray(MET)   # what was ever kept, by its hash; what shares one with another seems to be
        self._fresh = self._count = 0   # how much of it is fresh, and how much was before

    def tighten(self, room: float) -> None:
        """Remember lasting lines in no more than so many bytes from now on."""
        self._room = room

    def parse_lines(self, payload: bytes) -> Message:
        """Any bytes as a message, whatever else is remembered of messages."""
        # Without a body the end is found at once. Is there an empty line before it, the memo does not know that line.
        end = len(payload) - 4 if payload[-4:] == b"\r\n\r\n" else payload.find(b"\r\n\r\n")
        first, *lines = payload[:end].split(b"\r\n", MAX_LINES)
        start = self._starts.get(first) or self._learn_start(first)
        row = EMPTY.copy()
        if start is None or end < 0 or not self._fill(row, lines):
            return self._parse_unusual(payload)
        return _build(start, row, len(payload) - end - 4, first)

    def _parse_unusual(self, payload: bytes) -> Message:
        head = take_apart(payload)
        if head.start is None:
            return _malformed(head.first, head.defects)
        row = EMPTY.copy()
        row[FLAW] = head.defects
        self._fill(row, head.headers)
        return _build(head.start, row, head.body, head.first)

    def _fill(self, row: Row, lines: list[bytes]) -> bool:
        """Put the value of every line into its slot; False when a line is not plain."""
        lasting = self._lasting.get
        passing = self._passing.get
        for line in lines:
            field = lasting(line) or passing(line) or self._learn(line)
            if field is None:
                return False
            slot, value = field
            if slot:
                if row[slot] is None:
                    row[slot] = value
                else:
                    _repeat(row, slot, value)
        return True

    def _learn_start(self, line: bytes) -> StartLine | None:
        start = read_start_line(line)
        if len(self._starts) >= self._passing_limit:
            self._starts.clear()
        if start is not None and len(line) <= MAX_REMEMBERED and self._limit:
            self._starts[line] = start
        return start

    def _learn(self, line: bytes) -> Field | None:
        """Read a line that is in no memo, and remember it; None when it is not plain."""
        if not 0 < len(line) <= self._longest:
            read = read_line(line)
            return read and read[0]
        mark = MARKS.get(line[0], COLON)
        front, _, last = line.partition(mark)
        known = self._fronts.get(front)
        value = known and known.read(last)
        if known is not None and value is not None:
            field = known.slot, value
            return field if mark is NONCE else remember(self._passing, line, field, self._passing_limit)
        return self._learn_slowly(line, mark)

    def _learn_slowly(self, line: bytes, mark: bytes) -> Field | None:
        """Read a line whose front is new, or that has none."""
        front, marked, last = line.partition(mark)
        if mark in PARAMETERS:
            front, last = divide(front, last)
        known = self._fronts.get(front)
        if known is None and marked:
            known = self._keep(self._fronts, front, read_front(front, self._lasting.get(front)))
        value = known and known.read(last)
        if known is not None and value is not None:
            return remember(self._passing, line, (known.slot, value), self._passing_limit)
        read = read_line(line)
        if read is None:
            return None
        field, lasting = read
        if lasting and (mark is COLON or not marked):
            return self._keep(self._lasting, line, field)
        return remember(self._passing, line, field, self._passing_limit)

    def _keep(self, memo: Memo[Known], key: bytes, known: Known) -> Known:
        """Remember what lasts."""
        if self._held > self._room:
            for each in self._kept:
                each.clear()
            self._held = 0
        elif len(memo) >= self._limit:
            memo.clear()
            self._held = sum(2 * sum(map(len, each)) + READ_COST * len(each) for each in self._kept)
        self._held += 2 * len(key) + READ_COST
        memo[key] = known
        at = hash(key) % MET
        if not self._met[at]:
            self._met[at] = True
            memo.fresh.append(key)
            self._fresh += 1
            if self._fresh > self._most_fresh:
                self._forget_fresh()
        return known

    def _forget_fresh(self) -> None:
        """The moment has passed. What comes again stays."""
        self._count += self._fresh
        self._fresh = 0
        if self._count > MET // 16:
            self._met, self._count = bytearray(MET), 0
        for memo in self._kept:
            self._held -= memo.pass_by()


def remember(memo: dict[bytes, Known], key: bytes, known: Known, limit: int) -> Known:
    """Remember what is of the last moments, unless it is long; what is remembered."""
    if len(key) <= MAX_REMEMBERED:
        if len(memo) >= limit:
            memo.clear()
        memo[key] = known
    return known


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
    (_, via, from_, to, call_id, cseq, length, expires, user_agent, event, ends, replaces, rack, min_expires,
     retry_after, contacts, routes, credentials, challenges, defects) = row
    if (
        defects or start.defects or length != body or via is None or from_ is None or to is None or call_id is None
        or cseq is None or (start.method and cseq.method != start.method)
    ):
        defects = _judge(start, row, body)
        if _is_lost(start, row):
            return _malformed(first, defects)
    if start.method:
        return Request(
            start.method, start.uri, via, from_, to, call_id, cseq, contacts or (), expires, user_agent, routes or (),
            credentials or (), event, ends or False, replaces, rack, defects,
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
    if start.method and cseq is not None and cseq.method not in ("", start.method):
        found.append(Defect.CSEQ_METHOD)
    length = row[CONTENT_LENGTH]
    if body is not None and length is not None and length != body:
        found.append(Defect.CONTENT_LENGTH_LONG if length > body else Defect.CONTENT_LENGTH_SHORT)
    return tuple(dict.fromkeys(found))


def _is_lost(start: StartLine, row: Row) -> bool:
    """Whether the message belongs to nobody: no status code, or a mandatory header that is missing or unreadable."""
    if not (start.method or start.status) or row[VIA] is UNREADABLE_VIA:
        return True
    return any(row[slot] is None for slot in _MISSING)


def _malformed(first: bytes, defects: tuple[str, ...]) -> Malformed:
    return Malformed(decode(first[:4 * MAX_START], [])[:MAX_START], tuple(dict.fromkeys(defects)))
