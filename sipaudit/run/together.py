"""Messages built from their numbered parts (`apart`)."""

from __future__ import annotations

from array import array
from itertools import repeat

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from sipaudit.one import one_text
from sipaudit.sip.datagram import Datagram, Flow
from sipaudit.sip.forms import Parsed
from sipaudit.sip.message import Address, Challenge, CSeq, Request, Response, Via
from sipaudit.sip.startline import StartLine
from sipaudit.sip.usual import Tail

NUMBERS = "dIQI" + "I" * 9 + "B"
"""Array type codes of the columns of `Said`: time, capture, frame and number of the flow; numbers of start line, Via,
From, To, Call-ID, CSeq, Contacts, tail, and credentials or challenges; whether it is a request."""


class Said(Struct, array_like=True, frozen=True, gc=False):
    """Datagrams with messages: columns of numbers, and their payloads if these were sent."""

    columns: list[bytes] = []
    payloads: list[bytes] = []


class Parts(Struct, array_like=True, gc=False):
    """Values that get the next numbers of their kind, or all numbered values. `addresses` are those of From and To,
    `proofs` are credentials or challenges."""

    starts: list[StartLine] = []
    vias: list[Via] = []
    addresses: list[Address] = []
    call_ids: list[str] = []
    cseqs: list[CSeq] = []
    contacts: list[tuple[Address, ...]] = []
    tails: list[Tail] = []
    proofs: list[tuple[Challenge, ...]] = []


NO_PARTS = Encoder().encode(Parts())


class Together:
    """Builds messages from their parts; `flows` are indexed by number."""

    def __init__(self, flows: list[Flow]) -> None:
        self._flows = flows
        self._parts = Parts()
        self._decode = Decoder(Parts).decode

    def learn(self, told: bytes, *, anew: bool) -> None:
        """Add the values that get the next numbers; `anew`: numbers restart at 0."""
        if anew:
            self._parts = Parts()
        known, new = self._parts, self._decode(told)
        known.starts += [StartLine(one_text(start.method), start.uri, start.status, start.reason)
                         for start in new.starts]
        known.vias += new.vias
        known.addresses += new.addresses
        known.call_ids += new.call_ids
        known.cseqs += [CSeq(cseq.number, one_text(cseq.method)) for cseq in new.cseqs]
        known.contacts += new.contacts
        known.tails += new.tails
        known.proofs += new.proofs

    def messages(self, said: Said) -> list[Parsed]:
        """Messages with their datagrams. A single loop on purpose: nearly all messages are built here."""
        batch: list[Parsed] = []
        if not said.columns:
            return batch
        add, flows, parts = batch.append, self._flows, self._parts
        starts, vias, addresses, call_ids = parts.starts, parts.vias, parts.addresses, parts.call_ids
        cseqs, contacts, tails, proofs = parts.cseqs, parts.contacts, parts.tails, parts.proofs
        columns = map(array, NUMBERS, said.columns)
        for payload, time, capture, frame, flow, first, via, from_, to, call_id, cseq, own, rest, proof, asks in zip(
            said.payloads or repeat(b""), *columns, strict=False,
        ):
            start, tail = starts[first], tails[rest]
            message = Request(
                start.method, start.uri, vias[via], addresses[from_], addresses[to], call_ids[call_id], cseqs[cseq],
                contacts[own], tail.expires, tail.user_agent, tail.routes, proofs[proof], tail.event, tail.ends,
            ) if asks else Response(
                start.status, start.reason, vias[via], addresses[from_], addresses[to], call_ids[call_id], cseqs[cseq],
                contacts[own], tail.expires, tail.min_expires, tail.retry_after, tail.user_agent, proofs[proof])
            add((Datagram(time, capture, frame, flows[flow], payload), message, None))
        return batch
