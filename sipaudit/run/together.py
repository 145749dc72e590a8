"""Messages put together of parts that were told once, see `parts`: all of a run at a time, without a loop."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from sys import intern
from typing import TypeVar

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from sipaudit.sip.datagram import Datagram, Flow
from sipaudit.sip.message import Address, Challenge, CSeq, Request, Response, Uri, Via
from sipaudit.sip.startline import StartLine
from sipaudit.sip.usual import Tail


class Columns(Struct, frozen=True, array_like=True, gc=False):
    """Datagrams, with the numbers of their flows, and their messages, as the numbers of what their parts say."""

    times: list[float] = []
    captures: list[int] = []
    frames: list[int] = []
    flows: list[int] = []
    payloads: list[bytes] = []
    starts: list[int] = []
    vias: list[int] = []
    froms: list[int] = []
    tos: list[int] = []
    cseqs: list[int] = []
    call_ids: list[int] = []
    contacts: list[int] = []
    tails: list[int] = []
    proofs: list[int] = []


class Parts(Struct, array_like=True, gc=False):
    """Values that get the next numbers of their kind. Addresses are From and To; proofs credentials or challenges."""

    starts: list[StartLine] = []
    vias: list[Via] = []
    addresses: list[Address] = []
    cseqs: list[CSeq] = []
    call_ids: list[str] = []
    contacts: list[tuple[Address, ...]] = []
    tails: list[Tail] = []
    proofs: list[tuple[Challenge, ...]] = []


Value = TypeVar("Value")

NOTHING_TOLD = Encoder().encode(Parts())


class Known:
    """What has a number, in columns by number."""

    def __init__(self) -> None:
        self.methods: list[str] = []
        self.uris: list[Uri] = []
        self.statuses: list[int] = []
        self.reasons: list[str] = []
        self.vias: list[Via] = []
        self.addresses: list[Address] = []
        self.cseqs: list[CSeq] = []
        self.call_ids: list[str] = []
        self.contacts: list[tuple[Address, ...]] = []
        self.expires: list[int | None] = []
        self.agents: list[str | None] = []
        self.events: list[str | None] = []
        self.least: list[int | None] = []
        self.later: list[int | None] = []
        self.routes: list[tuple[Uri, ...]] = []
        self.proofs: list[tuple[Challenge, ...]] = []

    def learn(self, parts: Parts) -> None:
        """Take in what gets the next numbers."""
        for start in parts.starts:
            self.methods.append(intern(start.method))
            self.uris.append(start.uri)
            self.statuses.append(start.status)
            self.reasons.append(start.reason)
        self.vias += parts.vias
        self.addresses += parts.addresses
        self.cseqs += [CSeq(cseq.number, intern(cseq.method)) for cseq in parts.cseqs]
        self.call_ids += parts.call_ids
        self.contacts += parts.contacts
        for tail in parts.tails:
            self.expires.append(tail.expires)
            self.agents.append(tail.user_agent)
            self.events.append(tail.event)
            self.least.append(tail.min_expires)
            self.later.append(tail.retry_after)
            self.routes.append(tail.routes)
        self.proofs += parts.proofs


class Together:
    """Puts together what was taken apart; `flows` by their numbers."""

    def __init__(self, flows: list[Flow]) -> None:
        self._flows = flows
        self._known = Known()
        self._decode = Decoder(Parts).decode

    def learn(self, told: bytes, *, afresh: bool) -> None:
        """Take in what gets the next numbers; (`afresh`) from 0 on."""
        if afresh:
            self._known = Known()
        self._known.learn(self._decode(told))

    def datagrams(self, said: Columns) -> Iterator[Datagram]:
        """The datagrams of some messages."""
        return map(Datagram, said.times, said.captures, said.frames, _of(self._flows, said.flows), said.payloads)

    def requests(self, said: Columns) -> Iterator[Request]:
        """Messages that are requests."""
        known = self._known
        return map(
            Request, _of(known.methods, said.starts), _of(known.uris, said.starts), _of(known.vias, said.vias),
            _of(known.addresses, said.froms), _of(known.addresses, said.tos), _of(known.call_ids, said.call_ids),
            _of(known.cseqs, said.cseqs), _of(known.contacts, said.contacts), _of(known.expires, said.tails),
            _of(known.agents, said.tails), _of(known.routes, said.tails), _of(known.proofs, said.proofs),
            _of(known.events, said.tails))

    def responses(self, said: Columns) -> Iterator[Response]:
        """Messages that are responses."""
        known = self._known
        return map(
            Response, _of(known.statuses, said.starts), _of(known.reasons, said.starts), _of(known.vias, said.vias),
            _of(known.addresses, said.froms), _of(known.addresses, said.tos), _of(known.call_ids, said.call_ids),
            _of(known.cseqs, said.cseqs), _of(known.contacts, said.contacts), _of(known.expires, said.tails),
            _of(known.least, said.tails), _of(known.later, said.tails), _of(known.agents, said.tails),
            _of(known.proofs, said.proofs))


def _of(values: list[Value], numbers: Iterable[int]) -> Iterator[Value]:
    """The values that have these numbers."""
    return map(values.__getitem__, numbers)
