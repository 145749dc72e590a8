"""What one process hands to the next: a run of items with their messages, as bytes and back.

Nearly all are datagrams. Of their flow only its number goes with each, and of their message what it has not in common
with an earlier one (`moulds`), packed by msgspec. What is no datagram is pickled.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence

from msgspec import Struct
from msgspec.msgpack import Decoder, Encoder

from sipaudit.run.ahead import Parsed
from sipaudit.run.moulds import Like, Reader, Whole, Writer
from sipaudit.sip.datagram import Datagram, Flow, Item
from sipaudit.sip.parse import parse

FLOWS_KEPT = 65_536     # flows that have a number at a time

Row = tuple[float, int, int, int, tuple[int, ...], bool, bytes, Whole | Like | None]
"""A datagram (time, capture, frame, number of its flow, frames, cut, payload) and its message, None if that is still to
be parsed."""


class Load(Struct, array_like=True, gc=False):
    """A run. `flows` are those that get the next numbers, `anew`: from 0 on. (`moulding`) messages that go whole are
    moulds for later ones, (`forgets`) but the earlier ones are none any more.
    `beside` are items that are no datagrams, pickled, with their places in the run."""

    anew: bool
    flows: list[Flow]
    moulding: bool
    forgets: bool
    rows: list[Row]
    beside: list[tuple[int, bytes]]


class Packer:
    """Runs to bytes. (`payloads`) the bytes of parsed messages go with them."""

    def __init__(self, *, payloads: bool) -> None:
        self._payloads = payloads
        self._encode = Encoder().encode
        self._writer = Writer()
        self._flows: list[Flow] = []            # held, so that no other object can have the id of one
        self._numbers: dict[int, int] = {}      # by id: a flow is one object (sip.datagram)

    def pack(self, run: Sequence[Item], *, parsing: bool) -> bytes:
        """A run as bytes, its messages (`parsing`) parsed here or left to who unpacks it."""
        anew = len(self._flows) > FLOWS_KEPT
        if anew:
            self._flows.clear()
            self._numbers.clear()
        known, numbers = len(self._flows), self._numbers
        moulding, forgets = self._writer.turn()
        write = self._writer.write
        rows: list[Row] = []
        beside: list[tuple[int, bytes]] = []
        for place, item in enumerate(run):
            if type(item) is not Datagram:
                beside.append((place, pickle.dumps(item)))
                continue
            number = numbers.get(id(item.flow))
            if number is None:
                number = self._number(item.flow)
            payload = item.payload
            carried = b"" if parsing and not self._payloads else payload
            rows.append((item.time, item.capture, item.frame, number, item.frames, item.cut, carried,
                         write(parse(payload), len(payload)) if parsing else None))
        return self._encode(Load(anew, self._flows[known:], moulding, forgets, rows, beside))

    def _number(self, flow: Flow) -> int:
        number = self._numbers[id(flow)] = len(self._flows)
        self._flows.append(flow)
        return number


class Unpacker:
    """The runs of one packer back from their bytes, in the order in which they were packed."""

    def __init__(self) -> None:
        self._decode = Decoder(Load).decode
        self._flows: list[Flow] = []
        self._reader = Reader()

    def unpack(self, data: bytes) -> list[Parsed]:
        """A run, equal to the one that was packed but for payloads that were left behind."""
        load = self._decode(data)
        if load.anew:
            self._flows.clear()
        self._flows += load.flows
        self._reader.turn(moulding=load.moulding, forgets=load.forgets)
        flows, read = self._flows, self._reader.read
        run: list[Parsed] = [
            (Datagram(time, capture, frame, flows[flow], payload, frames, cut),
             parse(payload) if written is None else read(written))
            for time, capture, frame, flow, frames, cut, payload, written in load.rows
        ]
        for place, item in load.beside:
            run.insert(place, (_item(item), None))
        return run


def _item(data: bytes) -> Item:
    item: Item = pickle.loads(data)
    return item
