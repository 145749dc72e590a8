"""Connections of which nothing is open, known by little.

Most phones say something once an hour, and their connection has been forgotten by then: it is taken up in the middle,
for a few segments, each of them one whole message or an acknowledgement, and the very bytes that are wanted next.  Of
such a connection two small objects are kept.  Whatever else comes wakes it: it becomes what it would be if it had been
followed like any other from the first of these segments on.
"""

from __future__ import annotations

from sipaudit.capture.segments import MODULUS, ahead
from sipaudit.capture.tcp_connections import Content, Half, Side
from sipaudit.capture.tcp_contents import Contents, wants_answer
from sipaudit.capture.tcp_table import Table
from sipaudit.sip.datagram import Datagram, Flow, Item
from sipaudit.sip.framing import Framer, is_one_message


class Calm:
    """The calm ones among the connections of a table. `limit` is that of a message, in bytes."""

    def __init__(self, table: Table, contents: Contents, limit: int) -> None:
        self._table = table
        self._contents = contents
        self._limit = limit

    def take(
        self, time: float, capture: int, frame: int, flow: Flow, seq: int, ack: int, payload: bytes, room: int
    ) -> list[Item] | None:
        """Take a whole segment with no other flag than ACK, whose connection has no `Half`; None where it leaves its
        connection calm no longer, or makes one for which there is no `room`: then nothing was done."""
        table = self._table
        ends = flow.source, flow.destination
        side = table.sides.get(ends)
        if side is not None:
            if seq != side.wanted or (payload and not is_one_message(payload, self._limit, synced=side.synced)):
                return None
            side.flow = flow
            if ack != side.acks and ahead(ack, side.acks) > 0:
                side.acks = ack
        else:
            first = table.sides.get((flow.destination, flow.source))
            if not (is_one_message(payload, self._limit, synced=False) if payload else first):
                return None
            if first is None:
                if len(table.followed) >= room or flow.source == flow.destination:
                    return None
                self._contents.learn(flow)
            side = table.sides[ends] = Side(flow, seq, ack, first)
        table.use_side(side.first, time)
        if not payload:
            return []
        side.wanted = (seq + len(payload)) % MODULUS
        side.last_data = time
        side.synced = True
        side.asking = wants_answer(payload)
        return [Datagram(time, capture, frame, flow, payload)]

    def wake(self, flow: Flow) -> Half | None:
        """The direction that this flow is of a calm connection, which is calm no longer; None where there is none."""
        sides = self._table.sides
        side = sides.get((flow.source, flow.destination)) or sides.get((flow.destination, flow.source))
        if side is None:
            return None
        first, second = side.first, side.first.other
        self._table.forget(first)
        half = self._table.open(first.flow, first.last, True)
        pair = half.pair
        pair.established = pair.learned = True
        pair.content = Content.SIP
        self._restore(half, first)
        if second is None:
            half.peer.framer = Framer(self._limit, synced=False)
        else:
            self._restore(half.peer, second)
        return self._table.find(flow)

    def _restore(self, half: Half, side: Side) -> None:
        """Give a direction what is known of it."""
        half.flow = side.flow
        half.seen = True
        half.reassembly.start(side.wanted)
        half.framer = Framer(self._limit, synced=side.synced)
        half.asking = side.asking
        half.last_data = side.last_data
        half.peer.acked = side.acks
