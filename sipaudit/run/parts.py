"""What messages are made of, told once: to who makes messages of it again, a value is its number from then on.

In a dialog nearly all that a message says was said before.  What is shared so needs neither be sent nor made again, and
those who follow messages find the same object where the same was said.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from sipaudit.sip.datagram import Datagram, Flow
from sipaudit.sip.forms import Parsed
from sipaudit.sip.message import Address, Challenge, CSeq, Request, Response, Uri, Via

PARTS_KEPT = 16_384     # values that have a number at a time, of all kinds together
BYTES_KEPT = 1 << 21    # bytes in which these were told, with whatever is long among them

Asked = tuple[int, float, int, int, int, bytes, int, int, int, int, int, int, int, int, int | None, int, int, int, int]
"""A request: its place in the run, time, capture, frame, number of its flow, payload; and the numbers of method, URI,
Via, From, To, Call-ID, CSeq, Contacts, then (itself) Expires, and the numbers of User-Agent, routes, credentials and
event."""

Answered = tuple[int, float, int, int, int, bytes, int, int, int, int, int, int, int, int, int | None, int, int]
"""A response: the same up to the payload; its status itself, and the numbers of reason, Via, From, To, Call-ID, CSeq,
Contacts, then (itself) Expires, and the numbers of User-Agent and challenges."""


class Parts(Struct, array_like=True, gc=False):
    """Values that get the next numbers of their kind, or all that have one."""

    texts: list[str | None] = []
    uris: list[Uri] = []
    vias: list[Via] = []
    addresses: list[Address] = []
    cseqs: list[CSeq] = []
    contacts: list[tuple[Address, ...]] = []
    routes: list[tuple[Uri, ...]] = []
    proofs: list[tuple[Challenge, ...]] = []


KINDS = Parts.__struct_fields__
NOTHING_TOLD = Encoder().encode(Parts())


class Numbers(dict[Any, int]):
    """The numbers of values of one kind; `told` are those that were not told of so far."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def __missing__(self, value: Any) -> int:
        number = self[value] = len(self)
        self.told.append(value)
        return number


class Apart:
    """Takes messages apart."""

    def __init__(self) -> None:
        self._kinds = [Numbers() for _ in KINDS]
        self._encode = Encoder().encode
        self._bytes = 0

    def turn(self) -> bool:
        """Another run begins. Whether the numbers that there were are forgotten, because there are too many."""
        if sum(map(len, self._kinds)) <= PARTS_KEPT and self._bytes <= BYTES_KEPT:
            return False
        self._bytes = 0
        for numbers in self._kinds:
            numbers.clear()
        return True

    def told(self) -> bytes:
        """What got a number since this was last asked, for `Together.learn`."""
        told = self._encode(Parts(*(numbers.told for numbers in self._kinds)))
        self._bytes += len(told)
        for numbers in self._kinds:
            numbers.told = []
        return told

    def request(self, place: int, item: Datagram, flow: int, payload: bytes, request: Request) -> Asked | None:
        """A request in parts; None if it says what few say."""
        if request.defects or request.replaces is not None or request.rack is not None:
            return None
        texts, uris, vias, addresses, cseqs, contacts, routes, proofs = self._kinds
        return (
            place, item.time, item.capture, item.frame, flow, payload, texts[request.method], uris[request.uri],
            vias[request.via], addresses[request.from_], addresses[request.to], texts[request.call_id],
            cseqs[request.cseq], contacts[request.contacts], request.expires, texts[request.user_agent],
            routes[request.routes], proofs[request.credentials], texts[request.event])

    def response(self, place: int, item: Datagram, flow: int, payload: bytes, response: Response) -> Answered | None:
        """A response in parts; None as above."""
        if response.defects or response.min_expires is not None or response.retry_after is not None:
            return None
        texts, _, vias, addresses, cseqs, contacts, _, proofs = self._kinds
        return (
            place, item.time, item.capture, item.frame, flow, payload, response.status, texts[response.reason],
            vias[response.via], addresses[response.from_], addresses[response.to], texts[response.call_id],
            cseqs[response.cseq], contacts[response.contacts], response.expires, texts[response.user_agent],
            proofs[response.challenges])


class Together:
    """Puts together what was taken apart; `flows` by their numbers."""

    def __init__(self, flows: list[Flow]) -> None:
        self._flows = flows
        self._parts = Parts()
        self._decode = Decoder(Parts).decode

    def learn(self, told: bytes, *, afresh: bool) -> None:
        """Take in what gets the next numbers; (`afresh`) from 0 on."""
        parts = self._decode(told)
        for kind in KINDS:
            known = getattr(self._parts, kind)
            if afresh:
                known.clear()
            known += getattr(parts, kind)

    def requests(self, asked: list[Asked], run: list[Parsed | None]) -> None:
        """Lay out requests in their places."""
        flows, parts = self._flows, self._parts
        texts, uris, vias, addresses, cseqs = parts.texts, parts.uris, parts.vias, parts.addresses, parts.cseqs
        every, routes, proofs = parts.contacts, parts.routes, parts.proofs
        for (place, time, capture, frame, flow, payload, method, uri, via, from_, to, call_id, cseq, contacts, expires,
             agent, route, proof, event) in asked:
            run[place] = Datagram(time, capture, frame, flows[flow], payload), Request(
                texts[method], uris[uri], vias[via], addresses[from_], addresses[to], texts[call_id], cseqs[cseq],  # type: ignore[arg-type]
                every[contacts], expires, texts[agent], routes[route], proofs[proof], texts[event]), None

    def responses(self, answered: list[Answered], run: list[Parsed | None]) -> None:
        """Lay out responses in their places."""
        flows, parts = self._flows, self._parts
        texts, vias, addresses, cseqs = parts.texts, parts.vias, parts.addresses, parts.cseqs
        every, proofs = parts.contacts, parts.proofs
        for (place, time, capture, frame, flow, payload, status, reason, via, from_, to, call_id, cseq, contacts,
             expires, agent, proof) in answered:
            run[place] = Datagram(time, capture, frame, flows[flow], payload), Response(
                status, texts[reason], vias[via], addresses[from_], addresses[to], texts[call_id], cseqs[cseq],  # type: ignore[arg-type]
                every[contacts], expires, None, None, texts[agent], proofs[proof]), None
