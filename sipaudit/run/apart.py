"""Messages split into numbered values for another process: each value is sent once, afterwards only its number.

In a dialog nearly all parts of a message were sent before. They need not be sent again or built again, and the receiver
uses the same object for the same value. The lines of a usual message (`sip.parse`) are mapped directly to these
numbers, so that the reading process builds no message: `together` does.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from msgspec import Struct
from msgspec.msgpack import Encoder

from sipaudit.run.together import Parts
from sipaudit.sip.front import NOT_A_FRONT, Front, read_front
from sipaudit.sip.message import CSeq, Malformed, Message, Response
from sipaudit.sip.parse import Parser, parse
from sipaudit.sip.startline import NO_URI, StartLine, read_start_line
from sipaudit.sip.usual import Lines, Tail, Unusual

PARTS_KEPT = 16_384     # numbered values at a time, of all kinds together
BYTES_KEPT = 1 << 21    # bytes in which these were sent, since some values are long

KINDS = Parts.__struct_fields__
CONTACTS, TAILS, PROOFS = map(KINDS.index, ("contacts", "tails", "proofs"))
LONGEST_FRONT = 512     # bytes of a line before its branch or tag; a message with more is parsed whole
NONE = 0                # the number for absent Contacts, and for absent credentials or challenges

Numbers = tuple[int, int, int, int, int, int, int, int, int, bool]
"""A message as numbers: those of start line, Via, From, To, Call-ID, CSeq, Contacts, tail, and credentials or
challenges; then whether it is a request."""


class Numbered(Struct, gc=False):
    """The number of a start line, a CSeq or a tail, and those of its fields that are compared with the rest of a
    message."""

    number: int
    method: str = ""
    length: int | None = None
    contacts: int = NONE


class Kind:
    """Values of one kind: how many have a number, and those of them that are still to be sent."""

    __slots__ = ("count", "new")

    def __init__(self) -> None:
        self.count = 0
        self.new: list[Any] = []

    def __len__(self) -> int:
        return self.count

    def clear(self) -> None:
        """Forget all numbers."""
        self.count = 0
        self.new = []

    def add(self, value: Any) -> int:
        """Give a new value its number, and return it."""
        number = self.count
        self.count = number + 1
        self.new.append(value)
        return number


class ByLine(dict[bytes, Any]):
    """The numbers of the values of one kind of header line, by the line's bytes. Raises Unusual as `Lines` do."""

    __slots__ = ("_kind", "_read")

    def __init__(self, read: Callable[[bytes], Any], kind: Kind) -> None:
        super().__init__()
        self._read = read
        self._kind = kind

    def __missing__(self, line: bytes) -> Any:
        said = self._read(line)
        if said is None:
            raise Unusual
        kind = self._kind   # as `Kind.add`, inlined: two lines of each message are new
        number = self[line] = kind.count
        kind.count = number + 1
        kind.new.append(said)
        return number


class CSeqs(ByLine):
    """As `ByLine`, for CSeqs, with `Numbered` values; None for a REGISTER's, whose message is needed whole because its
    form may be learnt."""

    __slots__ = ()

    def __missing__(self, line: bytes) -> Numbered | None:
        cseq: CSeq | None = self._read(line)
        if cseq is None:
            raise Unusual
        numbered = self[line] = None if cseq.method == "REGISTER" else Numbered(self._kind.add(cseq), cseq.method)
        return numbered


class ByValue(dict[Any, int]):
    """The numbers of values of one kind."""

    __slots__ = ("_kind",)

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, value: Any) -> int:
        kind = self._kind
        number = self[value] = kind.count
        kind.count = number + 1
        kind.new.append(value)
        return number


class Apart(Parser):
    """Parses messages and splits them into numbers, except those needed whole: REGISTERs, whose form may be learnt, and
    unusual messages."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds = [Kind() for _ in KINDS]
        self._by_value = list(map(ByValue, self._kinds))
        self._first, vias, addresses, call_ids, cseqs, contacts, _, self._proofs = self._kinds
        self._start_lines, self._cseqs = Lines(self._read_start, inf), CSeqs(self._read_cseq, cseqs)
        self._vias, self._call_ids = ByLine(self._read_via, vias), ByLine(self._read_call_id, call_ids)
        self._froms, self._tos = ByLine(self._read_from, addresses), ByLine(self._read_to, addresses)
        self._contacts = ByLine(self._read_contacts, contacts)
        self._gather()
        self._encode = Encoder().encode
        self._forget()
        self.read: Callable[[bytes], Message | Numbers] = self.parse

    def turn(self) -> bool:
        """Begin another batch. Whether all numbers were forgotten, because there were too many."""
        for lines in (self._fronts, self._cseqs):   # their counts may exceed those of the kinds
            if len(lines) > PARTS_KEPT:
                lines.clear()
        if sum(map(len, self._kinds)) <= PARTS_KEPT and self._bytes <= BYTES_KEPT:
            return False
        self._forget()
        return True

    def _forget(self) -> None:
        """Forget all numbers, except those of absent values."""
        self._bytes = 0
        for kind, numbers in zip(self._kinds, self._by_value, strict=True):
            kind.clear()
            numbers.clear()
        for lines in (*self._usual, self._cseqs, self._contacts):
            lines.clear()
        for absent in (CONTACTS, PROOFS):
            self._by_value[absent][()] = self._kinds[absent].add(())   # number `NONE`

    def told(self) -> bytes:
        """The values that got a number since the last call, encoded for `Together.learn`."""
        told = self._encode(Parts(*(kind.new for kind in self._kinds)))
        self._bytes += len(told)
        for kind in self._kinds:
            kind.new = []
        return told

    def parse_lines(self, payload: bytes) -> Message:
        return parse(payload)

    def _read_start(self, line: bytes) -> Any:
        start = read_start_line(line)
        return None if start is None or start.defects else Numbered(self._first.add(start), start.method)

    def _read_tail(self, tail: bytes) -> Any:
        said = super()._read_tail(tail)
        return said and Numbered(
            self._by_value[TAILS][said], "", said.length, self._by_value[CONTACTS][said.contacts])

    def _learn_front(self, front: bytes, names: bytes | tuple[bytes, ...]) -> Front:
        """Fronts need no lasting number: the whole lines that begin with them are stored."""
        if not front.startswith(names) or len(front) > LONGEST_FRONT:
            return NOT_A_FRONT
        known = self._fronts[front] = read_front(front)
        return known

    def _made(self, start: Any, via: Any, from_: Any, to: Any, call_id: Any, cseq: Any, contacts: Any, tail: Any,
              proof: Any) -> Any:
        """A message as its numbers."""
        return (start.number, via, from_, to, call_id, cseq.number, contacts or NONE, tail.number,
                self._proofs.add(proof) if proof else NONE, start.method != "")

    def parts(self, message: Message) -> Numbers | None:
        """The numbers of a message that was parsed whole; None if it has defects or rare fields."""
        if isinstance(message, Malformed) or message.defects:
            return None
        if isinstance(message, Response):
            start = StartLine("", NO_URI, message.status, message.reason)
            tail = Tail(None, message.expires, message.user_agent, None, message.min_expires, message.retry_after, (),
                        (), False)
            proof = message.challenges
        elif message.replaces is None and message.rack is None:
            start = StartLine(message.method, message.uri, 0, "")
            tail = Tail(None, message.expires, message.user_agent, message.event, None, None, (), message.routes,
                        message.ends)
            proof = message.credentials
        else:
            return None
        starts, vias, addresses, call_ids, cseqs, contacts, tails, proofs = self._by_value
        return (starts[start], vias[message.via], addresses[message.from_], addresses[message.to],
                call_ids[message.call_id], cseqs[message.cseq], contacts[message.contacts], tails[tail], proofs[proof],
                start.method != "")
