"""Parses any bytes as a SIP message, line by line.

The head is split into lines, each line is looked up in the caches of lines read
before, the values are put into a row by slot, and the message is built from the
row.  A line that is in no cache is read by its front (`front`) if that is known,
otherwise by the tolerant readers (`line`, `headers`).  A line that is not plain
(folded, bare LF) makes the whole message take the slow path (`head`), which fills
the same row.
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

MAX_LASTING = 24576    # cached lines, and as many fronts, Contacts and tails: together less than 40 MB
FRESH = 6              # at most one in so many of these is fresh: lines of phones that only register soon leave again
MET = 1 << 20          # places to note which keys were cached before; a sixteenth of them is used
MAX_PASSING = 1024     # lines of recent transactions: a request and its responses share Via, From, Call-ID and CSeq
MAX_REMEMBERED = 1024  # bytes of a cached line; longer ones are parsed each time
READ_COST = 600        # bytes that a parsed line takes beside its text, which is held twice
MAX_START = 200        # characters of a malformed message's first line that are kept

Known = TypeVar("Known")
Row = list[Any]

EMPTY: Row = [*[None] * FLAW, ()]  # the slot FLAW is never None, so that every flaw goes to `_repeat`
_MISSING = {
    VIA: Defect.MISSING_VIA, FROM: Defect.MISSING_FROM, TO: Defect.MISSING_TO, CALL_ID: Defect.MISSING_CALL_ID,
    CSEQ: Defect.MISSING_CSEQ,
}


class Memo(dict[bytes, Known]):
    """A cache of lasting values by their bytes; `fresh` lists the keys that were cached recently for the first time."""

    __slots__ = ("fresh",)

    def __init__(self) -> None:
        super().__init__()
        self.fresh: list[bytes] = []

    def clear(self) -> None:
        super().clear()
        self.fresh.clear()

    def pass_by(self) -> int:
        """Drop the fresh entries; returns how many bytes they were counted for."""
        fresh, forget = self.fresh, self.pop
        for key in fresh:
            forget(key, None)
        held = 2 * sum(map(len, fresh)) + READ_COST * len(fresh)
        fresh.clear()
        return held


class LineParser:
    """A parser with a cache of at most `limit` lasting lines; 0 disables the cache, which changes no message.

    A header line means the same wherever it stands: its value is a function of its
    bytes, so that a cached value is always right.  Lines that are new in every
    transaction have a small cache of their own, so that they displace no lasting
    line; only their fronts are lasting.  A lasting entry is dropped soon after it
    was cached for the first time; if it then comes again, it stays.  A full cache
    is cleared as a whole: there is no order to maintain and nothing to search.
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
        self._kept: list[Memo[Any]] = [self._lasting, self._fronts]  # all caches of lasting values
        self._met = bytearray(MET)   # which keys were ever cached, by hash: with an equal hash, a new key seems old
        self._fresh = self._count = 0   # how many keys are fresh, and how many were before

    def tighten(self, room: float) -> None:
        """From now on use no more than `room` bytes for lasting lines."""
        self._room = room

    def parse_lines(self, payload: bytes) -> Message:
        """Parse any bytes as a message, line by line; a subclass may have faster ways."""
        # Without a body the end is found at once. If there is an empty line before it, that line is in no cache.
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
        """Parse a line that is in no cache, and cache it; None when it is not plain."""
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
        """Parse a line whose front is new or cannot read it, or that has no front."""
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
        """Cache a lasting value and return it."""
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
        """Drop all fresh entries; those that come again will stay."""
        self._count += self._fresh
        self._fresh = 0
        if self._count > MET // 16:
            self._met, self._count = bytearray(MET), 0
        for memo in self._kept:
            self._held -= memo.pass_by()


def remember(memo: dict[bytes, Known], key: bytes, known: Known, limit: int) -> Known:
    """Cache a value that is not lasting, unless its key is long; returns the value."""
    if len(key) <= MAX_REMEMBERED:
        if len(memo) >= limit:
            memo.clear()
        memo[key] = known
    return known


def _repeat(row: Row, slot: int, value: Any) -> None:
    """Add a second value for a slot, or a header field with flaws."""
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
    """All defects of a message, each once: the start line's, the head's, the headers', then those between them."""
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
    """Whether the message cannot be attributed: no status code, or a mandatory header is missing or unreadable."""
    if not (start.method or start.status) or row[VIA] is UNREADABLE_VIA:
        return True
    return any(row[slot] is None for slot in _MISSING)


def _malformed(first: bytes, defects: tuple[str, ...]) -> Malformed:
    return Malformed(decode(first[:4 * MAX_START], [])[:MAX_START], tuple(dict.fromkeys(defects)))
