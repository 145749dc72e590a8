"""What one process hands to the next: a run of items with their messages, as bytes and back.

Nearly all are datagrams. Of those of a known form (`sip.forms`) what is new in each goes, and its bytes, should anybody
have to read it. Others go in parts (`parts`), of which each is told once, and with the number of their flow; what is
odd about a message makes it go whole. What is no datagram is pickled.
Both sides know the forms that one of them has learnt and told of, so that either can do the reading.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from sys import intern
from typing import NamedTuple

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder
from msgspec.structs import astuple

from sipaudit.run.ahead import parsed
from sipaudit.run.parts import NOTHING_TOLD, Answered, Apart, Asked, Together
from sipaudit.sip.datagram import Datagram, Flow, Item, one_number
from sipaudit.sip.forms import Form, Forms, Parsed, Repeat
from sipaudit.sip.message import Malformed, Message, Request, Response
from sipaudit.sip.parse import parse

FLOWS_KEPT = 65_536     # flows that have a number at a time
ONLY_DATAGRAMS = {Datagram}

Row = tuple[int, float, int, int, int, tuple[int, ...], bool, bytes, Request | Response | Malformed | None]
"""A datagram (its place in the run, time, capture, frame, number of its flow, frames, cut, payload) and its message,
None if that is still to be read."""


Left = tuple[float, int, int, int, bytes, tuple[int, ...], bool]
"""A datagram that is still to be read (time, capture, frame, number of its flow, payload, frames, cut)."""


class Learnt(NamedTuple):
    """The next form but for those that were told: that of the message at this place, and where its variables stand."""

    place: int
    spans: tuple[tuple[int, int], ...]
    quoted: int


class Load(Struct, array_like=True, gc=False):
    """A run of so many items. `flows` are those that get the next numbers, `anew`: from 0 on; (`forgets`) the forms
    that are learnt get their numbers from 0 on, (`afresh`) so do the `parts` of messages, which are told before
    `requests` and `responses` name them. `beside` are items that are no datagrams, pickled, with their places;
    `repeats` stand in the places that are left. Of a run of datagrams of which none was read there is only what is
    `left` to read.
    """

    items: int
    anew: bool
    flows: list[Flow]
    forgets: bool
    learnt: list[Learnt]
    repeats: list[Repeat]
    afresh: bool
    parts: bytes
    requests: list[Asked]
    responses: list[Answered]
    rows: list[Row]
    beside: list[tuple[int, bytes]]
    left: list[Left]


class Packer:
    """Runs to bytes. (`payloads`) the bytes of all messages go with them, and none is known by its form."""

    def __init__(self, *, payloads: bool) -> None:
        self._payloads = payloads
        self._encode = Encoder().encode
        self._forms = Forms(parse)
        self._apart = Apart()
        self._told = 0                          # forms
        self._flows: list[Flow] = []            # held, so that no other object can have the id of one
        self._numbers: dict[int, int] = {}      # by id: a flow is one object (sip.datagram)

    def pack(self, run: Sequence[Item], *, reading: bool) -> bytes:
        """A run as bytes, its messages (`reading`) read here or left to who unpacks it."""
        anew = len(self._flows) > FLOWS_KEPT
        if anew:
            self._flows.clear()
            self._numbers.clear()
        repeats: list[tuple[object, ...]] = []   # as they go, without their forms
        afresh = self._apart.turn()
        load = Load(len(run), anew, [], self._forms.turn(), [], repeats, afresh, NOTHING_TOLD, [], [], [], [], [])  # type: ignore[arg-type]
        if load.forgets:
            self._told = 0
        known = len(self._flows)
        if not reading and set(map(type, run)) == ONLY_DATAGRAMS:
            load.left = self._left(run)  # type: ignore[arg-type]
            load.flows = self._flows[known:]
            return self._encode(load)
        for place, (item, message, form) in enumerate(self._read(run, reading=reading)):
            if type(item) is Repeat:
                repeats.append((item.time, item.capture, item.frame, item.payload, item.frames, item.form.known,
                                item.branch, item.cseq, item.nonce))
                continue
            if type(item) is not Datagram:
                load.beside.append((place, pickle.dumps(item)))
                continue
            if form is not None and form.known is None:
                form.known = self._told
                self._told += 1
                load.learnt.append(Learnt(place, *self._forms.places(item)))
            else:
                form = None
            self._add(load, place, item, message, whole=form is not None)
        load.flows, load.parts = self._flows[known:], self._apart.told()
        return self._encode(load)

    def _read(self, run: Sequence[Item], *, reading: bool) -> list[Parsed]:
        if not reading:
            return [(item, None, None) for item in run]
        return parsed(run) if self._payloads else self._forms.read(run)

    def _left(self, run: Sequence[Datagram]) -> list[Left]:
        """A run of datagrams that nobody has read."""
        left, known = [], self._numbers.get
        for item in run:
            number = known(id(item.flow))
            if number is None:
                number = self._number(item.flow)
            left.append((item.time, item.capture, item.frame, number, item.payload, item.frames, item.cut))
        return left

    def _add(self, load: Load, place: int, item: Datagram, message: Message | None, *, whole: bool) -> None:
        """Load a datagram; (`whole`) the payload goes along with the message."""
        number = self._numbers.get(id(item.flow))
        if number is None:
            number = self._number(item.flow)
        payload = item.payload if message is None or whole or self._payloads else b""
        if not item.frames and not item.cut:
            if type(message) is Request:
                asked = self._apart.request(place, item, number, payload, message)
                if asked is not None:
                    load.requests.append(asked)
                    return
            elif type(message) is Response:
                answered = self._apart.response(place, item, number, payload, message)
                if answered is not None:
                    load.responses.append(answered)
                    return
        load.rows.append((place, item.time, item.capture, item.frame, number, item.frames, item.cut, payload, message))

    def _number(self, flow: Flow) -> int:
        """Of a flow that had none."""
        number = self._numbers[id(flow)] = len(self._flows)
        self._flows.append(flow)
        return number


def _shared(flow: Flow) -> Flow:
    """A flow whose texts are those of all flows, as they were before it was packed."""
    transport, host, port, other, its, source, destination, mac = astuple(flow)
    return Flow(intern(transport), intern(host), one_number(port), intern(other), one_number(its), intern(source),
                intern(destination), None if mac is None else intern(mac))


class Unpacker:
    """The runs of one packer back from their bytes, in the order in which they were packed; what it left, is read."""

    def __init__(self, *, payloads: bool) -> None:
        self._payloads = payloads
        self._decode = Decoder(Load).decode
        self._flows: list[Flow] = []
        self._together = Together(self._flows)
        self._forms = Forms(parse)
        self._told: list[Form] = []   # forms, as the packer numbers them

    def unpack(self, data: bytes) -> list[Parsed]:
        """A run, equal to the one that was packed but for payloads that were left behind."""
        load, forms = self._decode(data), self._forms
        if load.anew:
            self._flows.clear()
        self._flows += map(_shared, load.flows)
        if load.forgets:
            self._told.clear()
        forms.turn()
        self._together.learn(load.parts, afresh=load.afresh)
        if load.left:
            flows = self._flows
            return self._read([Datagram(time, capture, frame, flows[flow], payload, frames, cut)
                               for time, capture, frame, flow, payload, frames, cut in load.left])
        run: list[Parsed | None] = [None] * load.items
        left: dict[int, Datagram] = {}
        self._together.requests(load.requests, run)
        self._together.responses(load.responses, run)
        for place, time, capture, frame, flow, frames, cut, payload, message in load.rows:
            item = Datagram(time, capture, frame, self._flows[flow], payload, frames, cut)
            run[place] = item, message, None
            if message is None:
                left[place] = item
        for place, spans, quoted in load.learnt:
            item, message, _ = run[place]  # type: ignore[assignment, misc]
            form = forms.told(item, spans, quoted)
            self._told.append(form)
            run[place] = item, message, form
        if left:
            for place, made in zip(left, self._read(list(left.values())), strict=True):
                run[place] = made
        for place, beside in load.beside:
            run[place] = pickle.loads(beside), None, None
        for repeat in load.repeats:
            repeat.form = self._told[repeat.number]
        repeats = iter(load.repeats)
        return [made or (next(repeats), None, None) for made in run]

    def _read(self, items: Sequence[Item]) -> list[Parsed]:
        return parsed(items) if self._payloads else self._forms.read(items)
