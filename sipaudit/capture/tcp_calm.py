"""Connections of which nothing is open, known by little.

Most phones say something once an hour, and their connection has been forgotten by then: it is taken up in the middle,
for a few segments, each of them one whole message or an acknowledgement, and the very bytes that are wanted next.  Of
such a connection two small objects are kept.  Whatever else comes wakes it: it becomes what it would be if it had been
followed like any other from the first of these segments on.
"""

from __future__ import annotations

from collections.abc import Callable

from sipaudit.capture.segments import HALF, MODULUS
from sipaudit.capture.tcp_connections import Content, Half, Side
from sipaudit.capture.tcp_contents import WANTS_NO_ANSWER, Contents
from sipaudit.capture.tcp_table import Table
from sipaudit.sip.datagram import Datagram, Flow, Item
from sipaudit.sip.framing import Framer, is_one_message


class Calm:
    """The calm ones among the connections of a table, of which all together there may be as many as there is `room`.

    `limit` is that of a message, in bytes; `moved_on` is told of flow and time of messages while SYNs are unanswered.
    """

    def __init__(
        self, table: Table, contents: Contents, moved_on: Callable[[Flow, float], list[Item]], limit: int, room: int
    ) -> None:
        self._table = table
        self._sides, self._followed, self._opening = table.sides, table.followed, table.opening
        self._moved_on = moved_on
        self.room = room
        self._contents = contents
        self._limit = limit

    def __len__(self) -> int:
        """How many directions of calm connections were seen."""
        return len(self._sides)

    def take(
        self, time: float, capture: int, frame: int, flow: Flow, seq: int, ack: int, payload: bytes
    ) -> list[Item] | None:
        """Take a whole segment with no other flag than ACK. None where its connection is not calm, or would be no
        longer: then nothing was done. Flat, for nearly all segments of many captures come here."""
        side = self._sides.get((flow.source, flow.destination))
        if side is not None:
            if seq != side.wanted or (payload and not is_one_message(payload, self._limit, synced=side.synced)):
                return None
            side.flow = flow
            if 0 < (ack - side.acks) % MODULUS < HALF:
                side.acks = ack
        else:
            side = self._met(flow, seq, ack, payload)
            if side is None:
                return None
        first = side.first
        first.last = time
        self._followed.move_to_end(first)
        if not payload:
            return []
        side.wanted = (seq + len(payload)) % MODULUS
        side.last_data = time
        side.synced = True
        side.asking = not payload.startswith(WANTS_NO_ANSWER)
        message = Datagram(time, capture, frame, flow, payload)
        return [*self._moved_on(flow, time), message] if self._opening else [message]

    def _met(self, flow: Flow, seq: int, ack: int, payload: bytes) -> Side | None:
        """A direction that was not seen before; of a new connection only if it begins with a message, and there is room
        for it."""
        ends = flow.source, flow.destination
        if ends in self._table.halves or (payload and not is_one_message(payload, self._limit, synced=False)):
            return None
        first = self._sides.get((flow.destination, flow.source))
        if first is None and (
            not payload or len(self._followed) >= self.room or flow.source == flow.destination
        ):
            return None
        side = self._sides[ends] = Side(flow, seq, ack, first)
        if first is None:
            self._followed[side] = None
            self._contents.learn(flow)
        return side

    def wake(self, flow: Flow) -> Half | None:
        """The direction that this flow is of a calm connection, which is calm no longer; None where there is none."""
        side = self._sides.get((flow.source, flow.destination)) or self._sides.get((flow.destination, flow.source))
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
