"""What messages are made of, told once: to who makes messages of it again, a value is its number from then on.

In a dialog nearly all that a message says was said before.  What is shared so needs neither be sent nor made again, and
those who follow messages find the same object where the same was said.  Of a usual message (`sip.parse`) the lines are
looked up for these numbers and not for what they say, so that who reads it makes no message of it: `together` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from msgspec.msgpack import Encoder

from sipaudit.run.together import Parts
from sipaudit.sip.message import Challenge, CSeq, Malformed, Message, Request, Response
from sipaudit.sip.parse import Parser
from sipaudit.sip.startline import NO_URI, StartLine
from sipaudit.sip.usual import Tail, Unusual

PARTS_KEPT = 16_384     # values that have a number at a time, of all kinds together
BYTES_KEPT = 1 << 21    # bytes in which these were told, with whatever is long among them

KINDS = Parts.__struct_fields__
STARTS, VIAS, ADDRESSES, CALL_IDS, CSEQS, CONTACTS, TAILS, PROOFS = range(len(KINDS))
NONE = 0                # the number of no Contacts, and of neither credentials nor challenges

Numbers = tuple[int, int, int, int, int, int, int, int, int, bool]
"""A message: the numbers of start line, Via, From, To, Call-ID, CSeq, Contacts, tail, and credentials or challenges;
whether it is a request."""


class Told(Struct, gc=False):
    """The number of a start line, a CSeq or a tail, and what of it is compared with the rest of a message."""

    number: int
    method: str = ""
    length: int | None = None
    contacts: int = NONE


class ByLine(dict[bytes, Any]):
    """The numbers of what lines of one kind say, by their bytes; `values` is what they say. Raises Unusual as `Lines`
    do."""

    __slots__ = ("_read", "_values")

    def __init__(self, read: Callable[[bytes], Any], values: list[Any]) -> None:
        super().__init__()
        self._read = read
        self._values = values

    def __missing__(self, line: bytes) -> Any:
        said = self._read(line)
        if said is None:
            raise Unusual
        number = self[line] = len(self._values)
        self._values.append(said)
        return number


class ToldByLine(ByLine):
    """The same, where more than the number is asked for."""

    __slots__ = ("_told",)

    def __init__(self, read: Callable[[bytes], Any], values: list[Any], told: Callable[[int, Any], Told]) -> None:
        super().__init__(read, values)
        self._told = told

    def __missing__(self, line: bytes) -> Told:
        number = super().__missing__(line)
        told = self[line] = self._told(number, self._values[number])
        return told


class ByValue(dict[Any, int]):
    """The numbers of values of one kind."""

    __slots__ = ("_values",)

    def __init__(self, values: list[Any]) -> None:
        super().__init__()
        self._values = values

    def __missing__(self, value: Any) -> int:
        number = self[value] = len(self._values)
        self._values.append(value)
        return number


class Apart(Parser):
    """Reads messages, and takes them apart."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: list[list[Any]] = [[] for _ in KINDS]   # all that has a number
        self._by_value = [ByValue(values) for values in self._kinds]
        starts, vias, addresses, call_ids, cseqs, contacts, tails, _ = self._kinds
        self._start_lines = ToldByLine(self._read_start, starts, _of_method)
        self._vias, self._call_ids = ByLine(self._read_via, vias), ByLine(self._read_call_id, call_ids)
        self._froms, self._tos = ByLine(self._read_from, addresses), ByLine(self._read_to, addresses)
        self._cseqs = ToldByLine(self._read_cseq, cseqs, _of_method)
        self._contacts = ByLine(self._read_contacts, contacts)
        self._tails = ToldByLine(self._read_tail, tails, self._of_tail)
        self._gather()
        self.read: Callable[[bytes], Message | Numbers] = self.parse
        self._registers: dict[int, Numbers] = {}   # those of this run, by id of their messages
        self._encode = Encoder().encode
        self._forget()

    def _of_tail(self, number: int, tail: Tail) -> Told:
        return Told(number, "", tail.length, self._by_value[CONTACTS][tail.contacts])

    def _forget(self) -> None:
        """Nothing has a number, but for what is not there."""
        self._bytes = 0
        self._counts = [0] * len(KINDS)   # how many were told of each kind
        for values, numbers in zip(self._kinds, self._by_value, strict=True):
            values.clear()
            numbers.clear()
        for lines in (*self._usual, self._contacts):
            lines.clear()
        for kind in (CONTACTS, PROOFS):
            self._by_value[kind][()] = NONE
            self._kinds[kind].append(())

    def turn(self) -> bool:
        """Another run begins. Whether the numbers that there were are forgotten, because there are too many."""
        self._registers.clear()
        if sum(map(len, self._kinds)) <= PARTS_KEPT and self._bytes <= BYTES_KEPT:
            return False
        self._forget()
        return True

    def told(self) -> bytes:
        """What got a number since this was last asked, for `Together.learn`."""
        told = self._encode(Parts(*(values[known:] for values, known in zip(self._kinds, self._counts, strict=True))))
        self._bytes += len(told)
        self._counts = list(map(len, self._kinds))
        return told

    def _made(self, start: Any, via: Any, from_: Any, to: Any, call_id: Any, cseq: Any, contacts: Any, tail: Any,
              proof: tuple[Challenge, ...]) -> Any:
        """The numbers of a usual message; but a REGISTER whole, since its form may be learnt."""
        numbers = (start.number, via, from_, to, call_id, cseq.number, contacts or NONE, tail.number,
                   self._proof(proof) if proof else NONE, start.method != "")
        if cseq.method != "REGISTER":
            return numbers
        message = self.whole(numbers)
        self._registers[id(message)] = numbers
        return message

    def _proof(self, proof: tuple[Challenge, ...]) -> int:
        """The number of what hardly ever comes twice."""
        proofs = self._kinds[PROOFS]
        proofs.append(proof)
        return len(proofs) - 1

    def whole(self, numbers: Numbers) -> Request | Response:
        """A message of which there are only the parts."""
        kinds = self._kinds
        start, via, from_, to, call_id, cseq, contacts, tail, proof, _ = numbers
        return super()._made(
            kinds[STARTS][start], kinds[VIAS][via], kinds[ADDRESSES][from_], kinds[ADDRESSES][to],
            kinds[CALL_IDS][call_id], kinds[CSEQS][cseq], kinds[CONTACTS][contacts], kinds[TAILS][tail],
            kinds[PROOFS][proof])  # type: ignore[return-value] # of a usual message

    def parts(self, message: Message) -> Numbers | None:
        """A message of this run that was read whole; None if it says what few say."""
        known = self._registers.get(id(message))
        if known is not None:
            return known
        if isinstance(message, Malformed) or message.defects:
            return None
        if isinstance(message, Response):
            return self._numbers(
                message, StartLine("", NO_URI, message.status, message.reason),
                Tail(None, message.expires, message.user_agent, None, message.min_expires, message.retry_after, (), ()),
                message.challenges)
        if message.replaces is not None or message.rack is not None:
            return None
        return self._numbers(
            message, StartLine(message.method, message.uri, 0, ""),
            Tail(None, message.expires, message.user_agent, message.event, None, None, (), message.routes),
            message.credentials)

    def _numbers(self, message: Request | Response, start: StartLine, tail: Tail, proof: tuple[Challenge, ...]
                 ) -> Numbers:
        """The numbers of what a message says."""
        starts, vias, addresses, call_ids, cseqs, contacts, tails, proofs = self._by_value
        return (starts[start], vias[message.via], addresses[message.from_], addresses[message.to],
                call_ids[message.call_id], cseqs[message.cseq], contacts[message.contacts], tails[tail], proofs[proof], start.method != "")


def _of_method(number: int, said: StartLine | CSeq) -> Told:
    return Told(number, said.method)
