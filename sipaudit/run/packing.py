"""The transfer format between two processes: a batch of items with their messages, to bytes and back.

Nearly all items are datagrams. One of a known form (`sip.forms`) is sent as its variable parts, plus its bytes in case
it must be parsed. Others are sent as numbered parts (`apart`), each part once, with the number of their flow; a message
with anything unusual is sent whole. Items that are no datagrams are pickled. Each of these ways has columns of its own,
from which the unpacker takes items in turn. Both sides know the forms that the packer has learnt and sent, so that
either can parse.
"""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder
from msgspec.structs import astuple

from sipaudit.one import one_number, one_text
from sipaudit.run.ahead import parsed
from sipaudit.run.apart import Apart, Numbers
from sipaudit.run.together import NO_PARTS, NUMBERS, Said, Together
from sipaudit.sip.datagram import Datagram, Flow, Item
from sipaudit.sip.forms import Form, Forms, Parsed, Repeat
from sipaudit.sip.message import Malformed, Message, Request, Response
from sipaudit.sip.parse import parse

FLOWS_KEPT = 131_072    # numbered flows at a time: one numbered again is another object to the receiver
ONLY_DATAGRAMS = {Datagram}

REPEAT, SAID, WHOLE, BESIDE = range(4)   # how an item is sent

Row = tuple[float, int, int, int, tuple[int, ...], bool, bytes, Request | Response | Malformed | None]
"""A datagram (time, capture, frame, number of its flow, frames, cut, payload) and its message, None if not parsed
yet."""

Taken = tuple[Any, Message | Numbers | None, Form | None]
"""The same as `Parsed`, except that the message may be in numbered parts."""

Rows = list[tuple[Any, ...]]
"""The rows that become the columns of `Said`: payload and numbers."""

ToRead = tuple[float, int, int, int, bytes, tuple[int, ...], bool]
"""A datagram not parsed yet (time, capture, frame, number of its flow, payload, frames, cut)."""


class Learnt(NamedTuple):
    """The next new form: learnt from the message at this place of the batch, with the positions of its variables."""

    place: int
    spans: tuple[tuple[int, int], ...]
    quoted: int


class Load(Struct, array_like=True, gc=False):
    """A batch. `flows` and `parts` of messages are those that get the next numbers, `learnt` the forms that do; if one
    of these begins `anew`, its numbers restart at 0, and all earlier ones are forgotten. `ways` has a byte for each
    item, how it is sent: in parts (`said`), as a repeat, in a row, or `beside` if it is no datagram (pickled). A batch
    of datagrams of which none was parsed is sent in `left` only."""

    flows_anew: bool
    forms_anew: bool
    parts_anew: bool
    flows: list[Flow] = []
    left: list[ToRead] = []
    ways: bytes = b""
    parts: bytes = NO_PARTS
    learnt: list[Learnt] = []
    repeats: list[Repeat] = []
    said: Said = Said()
    rows: list[Row] = []
    beside: list[bytes] = []


class Packer:
    """Batches to bytes. `payloads`: the bytes of all messages are included, and no forms are used."""

    def __init__(self, *, payloads: bool) -> None:
        self._payloads = payloads
        self._encode = Encoder().encode
        self._apart = Apart()
        self._forms = Forms(self._apart.read)
        self._told = 0                          # forms
        self._flows: list[Flow] = []            # referenced, so that no other object can have the id of one
        self._numbers: dict[int, int] = {}      # by id: a flow is one object (sip.datagram)

    def pack(self, batch: Sequence[Item], *, reading: bool) -> bytes:
        """A batch as bytes; its messages are parsed here (`reading`) or left for the unpacker."""
        load = Load(len(self._flows) > FLOWS_KEPT, self._forms.turn(), self._apart.turn())
        if load.flows_anew:
            self._flows.clear()
            self._numbers.clear()
        if load.forms_anew:
            self._told = 0
        known = len(self._flows)
        if not reading and set(map(type, batch)) == ONLY_DATAGRAMS:
            load.left = self._left(batch)  # type: ignore[arg-type]
        else:
            self._fill(load, self._read(batch, reading=reading))
        load.flows = self._flows[known:]
        return self._encode(load)

    def _read(self, batch: Sequence[Item], *, reading: bool) -> list[Taken]:
        if not reading:
            return [(item, None, None) for item in batch]
        if self._payloads:
            read = self._apart.read
            return [(item, read(item.payload) if type(item) is Datagram else None, None) for item in batch]
        return self._forms.read(batch)  # type: ignore[return-value] # as `Apart.read` makes them

    def _fill(self, load: Load, batch: list[Taken]) -> None:
        """Load the parsed items. A single loop on purpose: nearly all messages need nothing else."""
        repeats: list[tuple[object, ...]] = []   # as sent, without their forms
        ways = bytearray(len(batch))
        said: Rows = []
        say, known, payloads = said.append, self._numbers.get, self._payloads
        for place, (item, message, form) in enumerate(batch):
            if type(item) is Repeat:
                repeats.append((item.time, item.capture, item.frame, item.payload, item.frames, item.form.known,
                                item.branch, item.cseq, item.nonce))
            elif type(message) is tuple and not item.frames and not item.cut:
                number = known(id(item.flow))
                if number is None:
                    number = self._number(item.flow)
                say((item.payload if payloads else b"", item.time, item.capture, item.frame, number, *message))
                ways[place] = SAID
            elif type(item) is Datagram:
                told = form is not None and form.known is None
                if told:
                    self._tell(load, place, form)  # type: ignore[arg-type]
                ways[place] = self._add(load, said, item, message, told=told)
            else:
                load.beside.append(pickle.dumps(item))
                ways[place] = BESIDE
        load.said = _columns(said)
        load.ways, load.repeats, load.parts = bytes(ways), repeats, self._apart.told()  # type: ignore[assignment]

    def _tell(self, load: Load, place: int, form: Form) -> None:
        """Send a form, by the message at this place."""
        form.known = self._told
        self._told += 1
        load.learnt.append(Learnt(place, *self._forms.places(form)))

    def _add(self, load: Load, said: Rows, item: Datagram, message: Message | Numbers | None, *, told: bool) -> int:
        """Load a datagram; returns how it is sent. `told`: its form is new, so its payload goes along with its message.
        """
        number = self._numbers.get(id(item.flow))
        if number is None:
            number = self._number(item.flow)
        payload = item.payload if message is None or told or self._payloads else b""
        if isinstance(message, tuple):
            message = parse(item.payload)
        elif message is not None and not item.frames and not item.cut:
            parts = self._apart.parts(message)
            if parts is not None:
                said.append((payload, item.time, item.capture, item.frame, number, *parts))
                return SAID
        load.rows.append((item.time, item.capture, item.frame, number, item.frames, item.cut, payload, message))
        return WHOLE

    def _left(self, batch: Sequence[Datagram]) -> list[ToRead]:
        """A batch of datagrams that were not parsed."""
        left, known = [], self._numbers.get
        for item in batch:
            number = known(id(item.flow))
            if number is None:
                number = self._number(item.flow)
            left.append((item.time, item.capture, item.frame, number, item.payload, item.frames, item.cut))
        return left

    def _number(self, flow: Flow) -> int:
        """Give a new flow its number."""
        number = self._numbers[id(flow)] = len(self._flows)
        self._flows.append(flow)
        return number


def _columns(rows: Rows) -> Said:
    """Messages in parts, as columns for sending."""
    if not rows:
        return Said()
    payloads, *columns = zip(*rows, strict=True)
    numbers = [array(code, column).tobytes() for code, column in zip(NUMBERS, columns, strict=True)]
    return Said(numbers, payloads if any(payloads) else [])  # type: ignore[arg-type]  # which are encoded alike


def _shared(flow: Flow) -> Flow:
    """An equal flow made of the shared string objects of all flows, as before packing."""
    transport, host, port, other, its, source, destination, mac, vlan = astuple(flow)
    return Flow(one_text(transport), one_text(host), one_number(port), one_text(other), one_number(its),
                one_text(source), one_text(destination), mac and one_text(mac), vlan and one_text(vlan))


class Unpacker:
    """The batches of one packer from their bytes, in the order in which they were packed; unparsed items are parsed."""

    def __init__(self, *, payloads: bool) -> None:
        self._payloads = payloads
        self._decode = Decoder(Load).decode
        self._flows: list[Flow] = []
        self._together = Together(self._flows)
        self._forms = Forms(parse)
        self._told: list[Form] = []   # forms, as the packer numbers them

    def unpack(self, data: bytes) -> list[Parsed]:
        """A batch, equal to the one that was packed except for payloads left out."""
        load = self._decode(data)
        if load.flows_anew:
            self._flows.clear()
        self._flows += map(_shared, load.flows)
        if load.forms_anew:
            self._told.clear()
        self._forms.turn()
        self._together.learn(load.parts, anew=load.parts_anew)
        if load.left:
            flows = self._flows
            return self._read([Datagram(time, capture, frame, flows[flow], payload, frames, cut)
                               for time, capture, frame, flow, payload, frames, cut in load.left])
        batch = self._together_again(load)
        for place, spans, quoted in load.learnt:
            item, message, _ = batch[place]
            form = self._forms.told(item, spans, quoted)  # type: ignore[arg-type]
            self._told.append(form)
            batch[place] = item, message, form
        for each in load.repeats:
            each.form = self._told[each.number]
        return batch

    def _together_again(self, load: Load) -> list[Parsed]:
        """The items of a batch in their order, from the columns of their ways, without their forms."""
        none = repeat(None)
        said, repeats = self._together.messages(load.said), zip(load.repeats, none, none, strict=False)
        if len(said) == len(load.ways):
            return said
        if len(load.repeats) == len(load.ways):
            return list(repeats)
        ways = repeats, iter(said), self._rows(load.rows), zip(map(pickle.loads, load.beside), none, none, strict=False)
        return list(map(next, map(ways.__getitem__, load.ways)))

    def _rows(self, rows: list[Row]) -> Iterator[Parsed]:
        """Datagrams with their whole messages; unparsed ones are parsed."""
        items = [Datagram(time, capture, frame, self._flows[flow], payload, frames, cut)
                 for time, capture, frame, flow, frames, cut, payload, _ in rows]
        left = iter(self._read([item for item, row in zip(items, rows, strict=True) if row[-1] is None]))
        return (next(left) if row[-1] is None else (item, row[-1], None)
                for item, row in zip(items, rows, strict=True))

    def _read(self, items: Sequence[Item]) -> list[Parsed]:
        return parsed(items) if self._payloads else self._forms.read(items)
