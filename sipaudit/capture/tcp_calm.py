"""The short road of TCP: connections joined in the middle in which nothing unusual is pending, held in little memory.

Most phones send something once an hour, and by then their connection has been forgotten: it is joined in the middle,
for a few segments. Each of them is a whole message, one of its two halves, or an acknowledgement, and has exactly the
sequence number expected.  Such a connection is held as two small objects (`Side`).  Any other segment wakes it: it then
becomes the `Pair` that it would be if it had been followed normally from the first of these segments on.
"""

from __future__ import annotations

from collections.abc import Callable

from sipaudit.capture.segments import HALF, MODULUS
from sipaudit.capture.tcp_connections import Content, Half, Place, Side
from sipaudit.capture.tcp_contents import WANTS_NO_ANSWER, Contents
from sipaudit.capture.tcp_table import PLACE_COST, Table
from sipaudit.sip.datagram import Datagram, Flow, Item
from sipaudit.sip.framing import Framer, begins_message, is_one_message, looks_like_sip

_ALONE: tuple[int, ...] = ()   # `frames` of a message that came in one packet


class Calm:
    """The calm connections of a table. `room` is how many connections, calm or not, the table may have, `most` how many
    bytes it may hold.

    `moved_on` is called with flow and time of each message while SYNs are unanswered.
    """

    __slots__ = ("_contents", "_followed", "_moved_on", "_opening", "_sides", "_table", "_use", "most", "room")

    def __init__(
        self, table: Table, contents: Contents, moved_on: Callable[[Flow, float], list[Item]], room: int, most: int,
    ) -> None:
        self._table = table
        self._sides, self._followed, self._opening = table.sides, table.followed, table.opening
        self._use = table.followed.move_to_end
        self._moved_on = moved_on
        self.room = room
        self.most = most
        self._contents = contents

    def __len__(self) -> int:
        """How many directions of calm connections are followed."""
        return len(self._sides)

    def take(
        self, time: float, capture: int, frame: int, flow: Flow, seq: int, ack: int, payload: bytes
    ) -> list[Item] | None:
        """Process a whole segment with no other flag than ACK. None, with nothing done, if its connection is not calm,
        or would not stay so. Flat, because in many captures nearly all segments come here."""
        side = self._sides.get((flow.source, flow.destination)) or self._met(flow, seq, ack, payload)
        if side is None or seq != side.wanted:
            return None
        message, frames = payload, _ALONE
        if payload and (side.begun or not is_one_message(payload, synced=side.synced)):
            pieced = self._pieced(side, time, capture, frame, payload)
            if pieced is None:
                return None
            message, frames = pieced
        side.flow = flow
        if 0 < (ack - side.acks) % MODULUS < HALF:
            side.acks = ack
        first = side.first or self._table.follow(side)
        first.last = time
        self._use(first)
        if not payload:
            return []
        side.wanted = (seq + len(payload)) % MODULUS
        side.last_data = time
        side.asking = not message.startswith(WANTS_NO_ANSWER)
        if not message:
            return []
        if not side.synced:
            side.synced = True
            self._contents.learn(flow)
        whole = Datagram(time, capture, frame, flow, message, frames)
        return [*self._moved_on(flow, time), whole] if self._opening else [whole]

    def _met(self, flow: Flow, seq: int, ack: int, payload: bytes) -> Side | None:
        """A new `Side` for a direction not yet followed. For a new connection, only if the payload begins with SIP and
        there is room; None otherwise."""
        other = self._sides.get((flow.destination, flow.source))
        if other is None and (
            not looks_like_sip(payload) or len(self._followed) >= self.room or flow.source == flow.destination
            or (flow.source, flow.destination) in self._table.halves
        ):
            return None
        return Side(flow, seq, ack, other)

    def _pieced(
        self, side: Side, time: float, capture: int, frame: int, payload: bytes
    ) -> tuple[bytes, tuple[int, ...]] | None:
        """The message that this payload completes, with its frames; an empty message if it is the first of two parts.
        None if it is neither."""
        table, begun, place = self._table, side.begun, side.place
        size = len(payload) + PLACE_COST
        if table.held + size > self.most:
            return None
        if place is None:
            if not begins_message(payload, synced=side.synced):
                return None
            side.begun, side.place = payload, Place(0, len(payload), time, capture, frame)
            table.hold(side, size)
            return b"", ()
        message = begun + payload
        if (
            place.capture != capture or place.frame >= frame or place.time > time
            or not is_one_message(message, synced=side.synced)
        ):
            return None
        side.begun, side.place = b"", None
        table.hold(side, 0)
        return message, (place.frame, frame)

    def wake(self, flow: Flow) -> Half | None:
        """Turn the calm connection of this flow into a `Pair`, and return the direction with this flow; None if no calm
        connection has this flow."""
        side = self._sides.get((flow.source, flow.destination)) or self._sides.get((flow.destination, flow.source))
        if side is None:
            return None
        first: Side = side.first  # type: ignore[assignment]  # it is followed
        second = first.other
        self._table.unfollow(first)
        half = self._table.open(first.flow, first.last, True)
        pair = half.pair
        pair.established = True
        pair.learned = first.synced or (second is not None and second.synced)
        pair.content = Content.SIP
        self._restore(half, first)
        if second is None:
            half.peer.framer = Framer(synced=False)
        else:
            self._restore(half.peer, second)
        return self._table.find(flow)

    def _restore(self, half: Half, side: Side) -> None:
        """Copy the state of a calm direction to a `Half`."""
        half.flow = side.flow
        half.seen = True
        half.reassembly.start(side.wanted)
        half.framer = Framer(synced=side.synced)
        half.asking = side.asking
        half.last_data = side.last_data
        half.peer.acked = side.acks
        if side.place is not None:
            half.framer.feed(side.begun)
            half.reassembly.position = side.place.end
            half.places = [side.place]
            self._table.hold_instead(half, side)
