"""Bytes to a SIP message.  Never raises: what is wrong is listed in `defects`, what cannot be placed is `Malformed`.

The way of a usual message: Via, From, To, CSeq and Call-ID come first, in this order or with the last two changed, and
each is read by what is remembered of it (`front`).  What follows, the tail, is the same in every message of a make of
phones or servers but for credentials or challenge, and Contact; it is remembered whole, without these lines.
Everything else, and every message in which anything is wrong or in doubt, is read line by line (`lines`), which ends in
the same values.
"""

from __future__ import annotations

from typing import Any

from sipaudit.sip.address import read_contacts
from sipaudit.sip.defects import Found
from sipaudit.sip.front import (
    BRANCH,
    CALL_ID_FRONT,
    CSEQ_FRONT,
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
    EVENT,
    EXPIRES,
    FLAW,
    MIN_EXPIRES,
    RETRY_AFTER,
    ROUTE,
    USER_AGENT,
)
from sipaudit.sip.line import Reading, read_line
from sipaudit.sip.lines import EMPTY, MAX_LASTING, MAX_REMEMBERED, LineParser, Memo, remember
from sipaudit.sip.message import Address, CSeq, Message, Request, Response, Via

MAX_TAIL = 2048      # bytes of a tail; longer ones are read line by line
MAX_TAIL_LINES = 64
CONTACT_NAME = b"Contact: "
SEMICOLON = ord(";")   # a number, because `in` finds a byte much faster when it is one
DIGESTS = (b"Authorization: ", b"Proxy-Authorization: ", b"WWW-Authenticate: ", b"Proxy-Authenticate: ")

Tail = tuple[Any, ...]
"""Content-Length, expires, user_agent, event, min_expires, retry_after, contacts and routes of a tail."""


class Parser(LineParser):
    """A parser with its memory, see `LineParser`.

    What it remembers of tails is as much a function of their bytes as what it remembers of lines: a tail says what its
    lines say, each of them plain, without flaw, and with a header that stands in no other line.
    """

    def __init__(self, limit: int = MAX_LASTING) -> None:
        super().__init__(limit)
        self._tails: Memo[Tail] = Memo()
        self._contacts: Memo[tuple[Address, ...]] = Memo()
        self._kept += (self._tails, self._contacts)
        self._vias: dict[bytes, Via] = {}
        self._froms: dict[bytes, Address] = {}
        self._tos: dict[bytes, Address] = {}
        self._cseqs: dict[bytes, CSeq] = {}
        self._call_ids: dict[bytes, str] = {}

    def parse(self, payload: bytes) -> Message:
        """Any bytes as a message.

        One function on purpose: this is done for every message, and a call costs as much as reading two lines.
        """
        end = len(payload) - 4 if payload[-4:] == b"\r\n\r\n" else payload.find(b"\r\n\r\n")
        leading = payload[:end].split(b"\r\n", 6)
        start = self._starts.get(leading[0]) or self._learn_start(leading[0])
        if start is None or len(leading) != 7 or end < 0:
            return self.parse_lines(payload)
        _, via_line, from_line, to_line, cseq_line, call_id_line, tail = leading
        proof: Any = ()
        at = tail.find(NONCE)
        if at >= 0:
            begin, behind = tail.rfind(b"\r\n", 0, at) + 2, tail.find(b"\r\n", at)
            if begin < 2:
                begin = 0
            if behind < 0:
                behind = len(tail)
            front = self._fronts.get(tail[begin:at]) or self._learn_front(tail[begin:at], DIGESTS)
            if type(front) is not (CredentialsFront if start.method else ChallengeFront):
                return self.parse_lines(payload)
            proof = front.read(tail[at + len(NONCE):behind])
            tail = tail[:begin - 2] + tail[behind:] if begin else tail[behind + 2:]
        own: tuple[Address, ...] | None = ()
        begin = tail.find(CONTACT_NAME)
        if begin == 0 or (begin > 0 and tail[begin - 2:begin] == b"\r\n"):
            behind = tail.find(b"\r\n", begin)
            if behind < 0:
                behind = len(tail)
            line = tail[begin:behind]
            own = self._contacts.get(line) or self._learn_contacts(line)
            tail = tail[:begin - 2] + tail[behind:] if begin else tail[behind + 2:]
        rest = self._tails.get(tail) or self._learn_tail(tail)
        via = self._vias.get(via_line) or self._learn_via(via_line)
        from_ = self._froms.get(from_line) or self._learn_from(from_line)
        to = self._tos.get(to_line) or self._learn_to(to_line)
        cseq = self._cseqs.get(cseq_line)
        if cseq is None:
            if cseq_line[:6] != b"CSeq: ":
                cseq_line, call_id_line = call_id_line, cseq_line
            cseq = self._cseqs.get(cseq_line) or self._learn_cseq(cseq_line)
        call_id = self._call_ids.get(call_id_line) or self._learn_call_id(call_id_line)
        if (
            rest is None or via is None or from_ is None or to is None or cseq is None or call_id is None
            or proof is None or own is None or start.defects
        ):
            return self.parse_lines(payload)
        length, expires, user_agent, event, min_expires, retry_after, contacts, routes = rest
        method = start.method
        if (length is not None and length != len(payload) - end - 4) or (method and method != cseq.method):
            return self.parse_lines(payload)
        if own:
            if contacts:
                return self.parse_lines(payload)
            contacts = own
        if method:
            return Request(method, start.uri, via, from_, to, call_id, cseq, contacts, expires, user_agent, routes,
                           proof, event)
        return Response(start.status, start.reason, via, from_, to, call_id, cseq, contacts, expires, min_expires,
                        retry_after, user_agent, proof)

    def _learn_via(self, line: bytes) -> Via | None:
        front, _, branch = line.partition(BRANCH)
        if SEMICOLON in branch:
            front, branch = divide(front, branch)
        known = self._fronts.get(front) or self._learn_front(front, b"Via: ")
        if type(known) is not ViaFront:
            return None
        via = known.read(branch)
        return via and remember(self._vias, line, via, self._passing_limit)

    def _learn_from(self, line: bytes) -> Address | None:
        front, _, tag = line.partition(TAG)
        known = self._fronts.get(front) or self._learn_front(front, b"From: ")
        if type(known) is not FromFront:
            return None
        from_ = known.read(tag)
        return from_ and remember(self._froms, line, from_, self._passing_limit)

    def _learn_to(self, line: bytes) -> Address | None:
        front, tagged, tag = line.partition(TAG)
        known = self._fronts.get(front) or self._learn_front(front, b"To: ")
        if type(known) is not ToFront:
            return None
        if tagged:  # which comes but once or twice
            return known.read(tag)
        return remember(self._tos, line, Address(known.uri, None, None, None, known.display), self._passing_limit)

    def _learn_cseq(self, line: bytes) -> CSeq | None:
        cseq = CSEQ_FRONT.read(line[6:]) if line[:6] == b"CSeq: " else None
        return cseq and remember(self._cseqs, line, cseq, self._passing_limit)

    def _learn_call_id(self, line: bytes) -> str | None:
        call_id = CALL_ID_FRONT.read(line[9:]) if line[:9] == b"Call-ID: " else None
        return call_id and remember(self._call_ids, line, call_id, self._passing_limit)

    def _learn_front(self, front: bytes, names: bytes | tuple[bytes, ...]) -> Front:
        """What is to be known of a front; of a line with another name nothing."""
        if not front.startswith(names) or len(front) > self._longest:
            return NOT_A_FRONT
        return self._keep(self._fronts, front, read_front(front, self._lasting.get(front)))

    def _learn_contacts(self, line: bytes) -> tuple[Address, ...] | None:
        """The values of a Contact without flaws; None of one that has some, or that takes a look at its whole line."""
        text = line[len(CONTACT_NAME):].decode().strip() if line.isascii() else ""
        if not text or len(text) > MAX_REMEMBERED or "\n" in text or "\r" in text:
            return None
        found: Found = []
        contacts = read_contacts(text, found)
        return None if found else self._keep(self._contacts, line, contacts)

    def _learn_tail(self, tail: bytes) -> Tail | None:
        """What the lines of a tail say, one by one; None when it takes the general way to tell."""
        if len(tail) > MAX_TAIL:
            return None
        lines = tail.split(b"\r\n", MAX_TAIL_LINES)
        if len(lines) > MAX_TAIL_LINES:
            return None
        row = EMPTY.copy()
        for line in lines:
            slot, value = self._lasting_reading(line)
            if slot and (slot <= CSEQ or slot >= CREDENTIALS or row[slot] is not None):
                return None
            row[slot] = value
        rest = (row[CONTENT_LENGTH], row[EXPIRES], row[USER_AGENT], row[EVENT], row[MIN_EXPIRES], row[RETRY_AFTER],
                row[CONTACT] or (), row[ROUTE] or ())
        return self._keep(self._tails, tail, rest)

    def _lasting_reading(self, line: bytes) -> Reading:
        """A line that means the same in any message and comes in many; else something that is no part of a tail."""
        known = self._lasting.get(line)
        if known is not None:
            return known
        read = read_line(line)
        if read is None or not read[1] or not self._longest:
            return FLAW, None
        reading = read[0]
        # a Contact is a phone's own: the tail remembers it
        return reading if reading[0] == CONTACT else self._keep(self._lasting, line, reading)


_shared = Parser()
parse, tighten = _shared.parse, _shared.tighten
"""The parser that everybody shares, and how much of the lines it read it remembers."""
