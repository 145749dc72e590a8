"""What one process hands to the next: a run of items with their messages, as bytes and back.

Nearly all are datagrams. Of their flow only its number goes with each, and of a message of a known form (`sip.forms`)
what is new in it, and the bytes, should anybody have to read it. What is no datagram is pickled.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from sipaudit.sip.datagram import Datagram, Flow, Item
from sipaudit.sip.forms import Form, Forms, Parsed, Repeat
from sipaudit.sip.message import Malformed, Request, Response
from sipaudit.sip.parse import parse

FLOWS_KEPT = 65_536     # flows that have a number at a time
NO_FORM = -1


class Like(Struct, array_like=True, gc=False, tag=4):
    """A message of a form that was told before."""

    form: int
    branch: str
    cseq: int
    nonce: str


Row = tuple[float, int, int, int, tuple[int, ...], bool, bytes, Request | Response | Malformed | Like | None, int]
"""A datagram (time, capture, frame, number of its flow, frames, cut, payload) and its message, None if that is still to
be parsed; then the number of the form that it tells of."""


class Load(Struct, array_like=True, gc=False):
    """A run. `flows` are those that get the next numbers, `anew`: from 0 on; (`forgets`) no earlier form will be meant
    any more. `beside` are items that are no datagrams, pickled, with their places in the run."""

    anew: bool
    flows: list[Flow]
    forgets: bool
    rows: list[Row]
    beside: list[tuple[int, bytes]]


class Packer:
    """Runs to bytes. (`payloads`) the bytes of all messages go with them, and each is parsed."""

    def __init__(self, *, payloads: bool) -> None:
        self._payloads = payloads
        self._encode = Encoder().encode
        self._forms = Forms(parse)
        self._flows: list[Flow] = []            # held, so that no other object can have the id of one
        self._numbers: dict[int, int] = {}      # by id: a flow is one object (sip.datagram)

    def pack(self, run: Sequence[Item], *, parsing: bool) -> bytes:
        """A run as bytes, its messages (`parsing`) parsed here, or left to who unpacks it where none is of a form."""
        anew = len(self._flows) > FLOWS_KEPT
        if anew:
            self._flows.clear()
            self._numbers.clear()
        known, numbers = len(self._flows), self._numbers
        forgets = self._forms.turn()
        rows: list[Row] = []
        beside: list[tuple[int, bytes]] = []
        for place, (item, message, form) in enumerate(self._read(run, parsing=parsing)):
            if type(item) is not Datagram:
                beside.append((place, pickle.dumps(item)))
                continue
            number = numbers.get(id(item.flow))
            if number is None:
                number = self._number(item.flow)
            payload = item.payload
            if type(message) is Repeat:
                message = Like(message.form.number, message.branch, message.cseq, message.nonce)
            elif message is not None and not self._payloads:
                payload = b""
            rows.append((item.time, item.capture, item.frame, number, item.frames, item.cut, payload, message,
                         NO_FORM if form is None else form.number))
        return self._encode(Load(anew, self._flows[known:], forgets, rows, beside))

    def _read(self, run: Sequence[Item], *, parsing: bool) -> list[Parsed]:
        if not self._payloads:
            return self._forms.read(run, None if parsing else _is_of_no_form)
        return [(item, parse(item.payload) if parsing and type(item) is Datagram else None, None) for item in run]

    def _number(self, flow: Flow) -> int:
        number = self._numbers[id(flow)] = len(self._flows)
        self._flows.append(flow)
        return number


def _is_of_no_form(payload: bytes) -> bool:
    """Whether a message surely has no form that could be learnt."""
    return b" REGISTER\r\n" not in payload


class Unpacker:
    """The runs of one packer back from their bytes, in the order in which they were packed."""

    def __init__(self) -> None:
        self._decode = Decoder(Load).decode
        self._flows: list[Flow] = []
        self._forms: list[Form] = []

    def unpack(self, data: bytes) -> list[Parsed]:
        """A run, equal to the one that was packed but for payloads that were left behind."""
        load = self._decode(data)
        if load.anew:
            self._flows.clear()
        self._flows += load.flows
        if load.forgets:
            self._forms.clear()
        flows, forms = self._flows, self._forms
        run: list[Parsed] = []
        add = run.append
        for time, capture, frame, flow, frames, cut, payload, written, number in load.rows:
            item = Datagram(time, capture, frame, flows[flow], payload, frames, cut)
            if type(written) is Like:
                add((item, Repeat(forms[written.form], written.branch, written.cseq, written.nonce), None))
            elif number == NO_FORM:
                add((item, parse(payload) if written is None else written, None))  # type: ignore[arg-type]
            else:
                if number == len(forms):
                    forms.append(Form(number, flows[flow]))
                add((item, written, forms[number]))  # type: ignore[arg-type]
        for place, beside in load.beside:
            run.insert(place, (_item(beside), None, None))
        return run


def _item(data: bytes) -> Item:
    item: Item = pickle.loads(data)
    return item
