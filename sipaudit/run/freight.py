"""What one process hands to the next: a run of items with their messages, as bytes and back.

Nearly all are datagrams. Those of a known form (`sip.forms`) go as columns: what is new in each, and its bytes, should
anybody have to read it. Of the flow of any other only its number goes with it. What is no datagram is pickled.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from sipaudit.sip.datagram import Datagram, Flow, Item
from sipaudit.sip.forms import Form, Forms, Parsed, Repeat
from sipaudit.sip.message import Malformed, Message, Request, Response
from sipaudit.sip.parse import parse

FLOWS_KEPT = 65_536     # flows that have a number at a time
NO_FORM = -1

Row = tuple[int, float, int, int, int, tuple[int, ...], bool, bytes, Request | Response | Malformed | None, int]
"""A datagram (its place in the run, time, capture, frame, number of its flow, frames, cut, payload) and its message,
None if that is still to be parsed; then the number of the form that it tells of."""


class Repeats(Struct, array_like=True, gc=False):
    """Datagrams of known forms, in columns."""

    places: list[int]
    times: list[float]
    captures: list[int]
    frames: list[int]
    payloads: list[bytes]
    forms: list[int]
    branches: list[str]
    cseqs: list[int]
    nonces: list[str]


class Load(Struct, array_like=True, gc=False):
    """A run of so many items. `flows` are those that get the next numbers, `anew`: from 0 on; (`forgets`) no earlier
    form will be meant any more. `beside` are items that are no datagrams, pickled, with their places in the run."""

    items: int
    anew: bool
    flows: list[Flow]
    forgets: bool
    repeats: Repeats | None
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
        known = len(self._flows)
        forgets = self._forms.turn()
        repeats = []
        rows: list[Row] = []
        beside: list[tuple[int, bytes]] = []
        for place, (item, message, form) in enumerate(self._read(run, parsing=parsing)):
            if type(message) is Repeat and not item.frames and not item.cut:  # type: ignore[union-attr]
                repeats.append((place, item.time, item.capture, item.frame, item.payload,  # type: ignore[union-attr]
                                message.form.number, message.branch, message.cseq, message.nonce))
            elif type(item) is Datagram:
                rows.append(self._row(place, item, None if type(message) is Repeat else message, form))  # type: ignore[arg-type]
            else:
                beside.append((place, pickle.dumps(item)))
        columns = Repeats(*zip(*repeats, strict=True)) if repeats else None
        return self._encode(Load(len(run), anew, self._flows[known:], forgets, columns, rows, beside))

    def _read(self, run: Sequence[Item], *, parsing: bool) -> list[Parsed]:
        if not self._payloads:
            return self._forms.read(run, None if parsing else _is_of_no_form)
        return [(item, parse(item.payload) if parsing and type(item) is Datagram else None, None) for item in run]

    def _row(self, place: int, item: Datagram, message: Message | None, form: Form | None) -> Row:
        number = self._numbers.get(id(item.flow))
        if number is None:
            number = self._numbers[id(item.flow)] = len(self._flows)
            self._flows.append(item.flow)
        payload = item.payload if message is None or self._payloads else b""
        return (place, item.time, item.capture, item.frame, number, item.frames, item.cut, payload, message,
                NO_FORM if form is None else form.number)


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
        run: list[Parsed] = [None] * load.items  # type: ignore[list-item]
        for row in load.rows:   # first, for the forms that they tell of
            run[row[0]] = self._parsed(*row)
        if load.repeats is not None:
            self._lay_out(load.repeats, run)
        for place, item in load.beside:
            run[place] = pickle.loads(item), None, None
        return run

    def _parsed(self, _place: int, time: float, capture: int, frame: int, flow: int, frames: tuple[int, ...], cut: bool,
                payload: bytes, message: Request | Response | Malformed | None, number: int) -> Parsed:
        item = Datagram(time, capture, frame, self._flows[flow], payload, frames, cut)
        if number == NO_FORM:
            return item, parse(payload) if message is None else message, None
        if number == len(self._forms):
            self._forms.append(Form(number, item.flow))
        return item, message, self._forms[number]

    def _lay_out(self, repeats: Repeats, run: list[Parsed]) -> None:
        """Put the datagrams of known forms into their places."""
        forms = self._forms
        for place, time, capture, frame, payload, number, branch, cseq, nonce in zip(
            repeats.places, repeats.times, repeats.captures, repeats.frames, repeats.payloads, repeats.forms,
            repeats.branches, repeats.cseqs, repeats.nonces, strict=True,
        ):
            form = forms[number]
            run[place] = Datagram(time, capture, frame, form.flow, payload), Repeat(form, branch, cseq, nonce), None
