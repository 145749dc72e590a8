"""Parses bytes as a SIP message.  It never raises: problems are listed in `defects`, unusable bytes give `Malformed`.

In a usual message Via, From, To, CSeq and Call-ID come first, in this order or with the last two swapped, and each is
read by its cached front (`front`).  The rest, the tail, is the same in all messages of one make of phones or servers,
except for Contact and credentials or challenge; it is cached as a whole, without these lines.  Any other message, and
any with a defect or a doubt, is read line by line (`lines`), with the same result.
"""

from __future__ import annotations

from typing import Any

from sipaudit.sip.address import read_contacts
from sipaudit.sip.defects import Found
from sipaudit.sip.front import (
    BRANCH,
    CALL_ID_FRONT,
    CRLF,
    CSEQ_FRONT,
    CSEQ_NAME,
    LEADING,
    NONCE,
    NOT_A_FRONT,
    TAG,
    ChallengeFront,
    CredentialsFront,
    FromFront,
    Front,
    ToFront,
    ViaFront,
    divide,
    read_front,
)
from sipaudit.sip.headers import (
    CONTACT,
    CONTENT_LENGTH,
    CREDENTIALS,
    CSEQ,
    ENDS,
    EVENT,
    EXPIRES,
    FLAW,
    MIN_EXPIRES,
    RETRY_AFTER,
    ROUTE,
    USER_AGENT,
)
from sipaudit.sip.line import Field, read_line
from sipaudit.sip.lines import EMPTY, MAX_LASTING, MAX_REMEMBERED, LineParser
from sipaudit.sip.message import Address, Challenge, CSeq, Message, Request, Response, Via
from sipaudit.sip.startline import StartLine, read_start_line
from sipaudit.sip.usual import LastingLines, Lines, Tail, Unusual

MAX_TOS = 128        # To lines; those of responses differ in their tags, each of which occurs in few messages
MAX_TAIL = 2048      # bytes of a tail; longer ones are read line by line
MAX_TAIL_LINES = 64
CONTACT_NAME = b"Contact: "
LENGTH_OF_NAME = len(CONTACT_NAME)
EMPTY_LINE = CRLF + CRLF
SEMICOLON = ord(";")   # an integer, because `in` finds a byte much faster by its number
DIGESTS = (b"Authorization: ", b"Proxy-Authorization: ", b"WWW-Authenticate: ", b"Proxy-Authenticate: ")

Remembered = dict[bytes, Any]
"""Cached values of lines of one kind. A missing line is parsed and cached, or raises Unusual."""


class Parser(LineParser):
    """A parser with caches, see `LineParser`.

    The cached value of a tail, as that of a line, is a function of its bytes alone: it combines the values of the
    tail's lines, each of them plain, without flaw, and with a header that no other line has.
    """

    __slots__ = ("_call_ids", "_contacts", "_cseqs", "_froms", "_start_lines", "_tails", "_tos", "_usual",
                 "_vias")

    def __init__(self, limit: int = MAX_LASTING) -> None:
        super().__init__(limit)
        few = self._passing_limit
        self._start_lines: Remembered = Lines(self._read_start, few)
        self._vias: Remembered = Lines(self._read_via, few)
        self._froms: Remembered = Lines(self._read_from, few)
        self._tos: Remembered = Lines(self._read_to, min(few, MAX_TOS))
        self._cseqs: Remembered = Lines(self._read_cseq, few)
        self._call_ids: Remembered = Lines(self._read_call_id, few)
        contacts, tails = LastingLines(self._read_contacts, self._keep), LastingLines(self._read_tail, self._keep)
        self._contacts: Remembered = contacts
        self._tails: Remembered = tails
        self._kept += (contacts, tails)
        self._gather()

    def _gather(self) -> None:
        """Collect in one tuple the caches that `parse` uses for nearly every message."""
        self._usual = self._start_lines, self._vias, self._froms, self._tos, self._call_ids, self._tails

    def parse(self, payload: bytes) -> Message:
        """Parse any bytes as a message.

        One function on purpose: it runs for every message, and a call costs as much as reading two lines.
        """
        if payload[-4:] == EMPTY_LINE:   # as most end; if there is an empty line before it, no tail can hold that
            head, body = payload[:-4], b""
        else:
            head, ended, body = payload.partition(EMPTY_LINE)
            if not ended:
                return self.parse_lines(payload)
        leading = head.split(CRLF, LEADING)
        if len(leading) != LEADING + 1:
            return self.parse_lines(payload)
        start_line, via_line, from_line, to_line, cseq_line, call_id_line, tail = leading
        if cseq_line[:6] != CSEQ_NAME:
            cseq_line, call_id_line = call_id_line, cseq_line
        try:
            cseq = self._cseqs[cseq_line]
            if cseq is None:   # a subclass wants this message parsed as a whole
                return self.parse_lines(payload)
            starts, vias, froms, tos, call_ids, tails = self._usual
            own: Any = ()
            proof: Any = ()
            start = starts[start_line]
            if tail[:LENGTH_OF_NAME] == CONTACT_NAME:
                contact_line, _, tail = tail.partition(CRLF)
                own = self._contacts[contact_line]
            rest = tails.get(tail)
            if rest is None:
                rest, own, proof = self._read_parts(tail, own, start.method)
            method, length = start.method, rest.length
            if (length is not None and length != len(body)) or (method and method != cseq.method):
                return self.parse_lines(payload)
            if rest.contacts:
                if own:
                    return self.parse_lines(payload)
                own = rest.contacts
            return self._made(start, vias[via_line], froms[from_line], tos[to_line], call_ids[call_id_line], cseq, own,
                              rest, proof)
        except Unusual:
            return self.parse_lines(payload)

    def _made(self, start: StartLine, via: Via, from_: Address, to: Address, call_id: str, cseq: CSeq,
              contacts: tuple[Address, ...], tail: Tail, proof: tuple[Challenge, ...]) -> Message:
        """Build the message from its parts."""
        if start.method:
            return Request(start.method, start.uri, via, from_, to, call_id, cseq, contacts, tail.expires,
                           tail.user_agent, tail.routes, proof, tail.event, tail.ends)
        return Response(start.status, start.reason, via, from_, to, call_id, cseq, contacts, tail.expires,
                        tail.min_expires, tail.retry_after, tail.user_agent, proof)

    def _read_parts(self, tail: bytes, own: Any, method: str) -> tuple[Any, Any, Any]:
        """The value of a tail without its Contact and its credentials or challenge, and the values of these two. `own`
        is the value of a Contact line that preceded the tail."""
        proof: Any = ()
        at = tail.find(NONCE)
        if at >= 0:
            begin, behind = tail.rfind(CRLF, 0, at) + 2, tail.find(CRLF, at)
            if begin < 2:
                begin = 0
            if behind < 0:
                behind = len(tail)
            front = self._fronts.get(tail[begin:at]) or self._learn_front(tail[begin:at], DIGESTS)
            if type(front) is not (CredentialsFront if method else ChallengeFront):
                raise Unusual
            proof = front.read(tail[at + len(NONCE):behind])
            if proof is None:
                raise Unusual
            tail = _without(tail, begin, behind)
        begin = tail.find(CONTACT_NAME)
        if begin == 0 or (begin > 0 and tail[begin - 2:begin] == CRLF):
            behind = tail.find(CRLF, begin)
            if behind < 0:
                behind = len(tail)
            if own:
                raise Unusual
            own = self._contacts[tail[begin:behind]]
            tail = _without(tail, begin, behind)
        return self._tails[tail], own, proof

    def _read_start(self, line: bytes) -> StartLine | None:
        start = read_start_line(line)
        return None if start is None or start.defects else start

    def _read_via(self, line: bytes) -> Via | None:
        front, _, branch = line.partition(BRANCH)
        if SEMICOLON in branch:
            front, branch = divide(front, branch)
        known = self._fronts.get(front) or self._learn_front(front, b"Via: ")
        return known.read(branch) if type(known) is ViaFront else None

    def _read_from(self, line: bytes) -> Address | None:
        front, _, tag = line.partition(TAG)
        known = self._fronts.get(front) or self._learn_front(front, b"From: ")
        return known.read(tag) if type(known) is FromFront else None

    def _read_to(self, line: bytes) -> Address | None:
        front, tagged, tag = line.partition(TAG)
        known = self._fronts.get(front) or self._learn_front(front, b"To: ")
        if type(known) is not ToFront:
            return None
        return known.read(tag) if tagged else Address(known.uri, None, None, None, known.display)

    def _read_cseq(self, line: bytes) -> CSeq | None:
        return CSEQ_FRONT.read(line[6:]) if line[:6] == CSEQ_NAME else None

    def _read_call_id(self, line: bytes) -> str | None:
        return CALL_ID_FRONT.read(line[9:]) if line[:9] == b"Call-ID: " else None

    def _learn_front(self, front: bytes, names: bytes | tuple[bytes, ...]) -> Front:
        """Parse and cache a front; NOT_A_FRONT for a line with another header name."""
        if not front.startswith(names) or len(front) > self._longest:
            return NOT_A_FRONT
        return self._keep(self._fronts, front, read_front(front, self._lasting.get(front)))

    def _read_contacts(self, line: bytes) -> tuple[Address, ...] | None:
        """The values of a Contact; None if it has defects, or has to be read as a whole line."""
        if not line.isascii() or b"\n" in line or b"\r" in line:
            return None
        text = line[len(CONTACT_NAME):].decode().strip()
        if not text or len(text) > MAX_REMEMBERED:
            return None
        found: Found = []
        contacts = read_contacts(text, found)
        return None if found else contacts

    def _read_tail(self, tail: bytes) -> Tail | None:
        """Parse a tail line by line; None when only the general parser can tell."""
        if len(tail) > MAX_TAIL:
            return None
        lines = tail.split(CRLF, MAX_TAIL_LINES)
        if len(lines) > MAX_TAIL_LINES:
            return None
        row = EMPTY.copy()
        for line in lines:
            slot, value = self._lasting_field(line)
            if slot and (slot <= CSEQ or slot >= CREDENTIALS or row[slot] is not None):
                return None
            row[slot] = value
        return Tail(row[CONTENT_LENGTH], row[EXPIRES], row[USER_AGENT], row[EVENT], row[MIN_EXPIRES], row[RETRY_AFTER],
                    row[CONTACT] or (), row[ROUTE] or (), row[ENDS] or False)

    def _lasting_field(self, line: bytes) -> Field:
        """The field of a lasting line; for any other line, a field that no tail may have."""
        known = self._lasting.get(line)
        if known is not None:
            return known
        read = read_line(line)
        if read is None or not read[1] or not self._longest:
            return FLAW, None
        field = read[0]
        # a Contact is specific to one phone: it is cached with the tail only
        return field if field[0] == CONTACT else self._keep(self._lasting, line, field)


def _without(tail: bytes, begin: int, behind: int) -> bytes:
    """A tail without its line from `begin` to `behind`."""
    return tail[:begin - 2] + tail[behind:] if begin else tail[behind + 2:]


_shared = Parser()
parse, tighten = _shared.parse, _shared.tighten
"""The shared parser, and the function that limits the memory of its caches (bytes)."""
