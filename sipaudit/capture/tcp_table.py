"""The connections being followed: found by flow, bounded in number and in bytes, with their deadlines."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf

from sipaudit.capture.tcp_connections import Half, Pair, Side
from sipaudit.sip.datagram import Flow

IDLE = 600.0      # a connection unused so long is forgotten; it is joined in the middle when it wakes up
PLACE_COST = 128  # bytes that remembering a packet takes, roughly

Ends = tuple[str, str]
"""The source and the destination of a direction, `host:port`."""


class Table:
    """Connections in the order of their use.

    `held` is the memory in bytes that unfinished messages and waiting segments take, `halves` and `sides` the
    directions by their ends, `opening` the connections whose SYN awaits its answer, by the host that sent it.
    """

    __slots__ = ("_deadlines", "_holding", "_ties", "followed", "halves", "held", "opening", "sides")

    def __init__(self) -> None:
        self.held = 0
        self.halves: dict[Ends, Half] = {}
        self.sides: dict[Ends, Side] = {}
        self.followed: OrderedDict[Pair | Side, None] = OrderedDict()
        self._holding: dict[Ends | Half | Side, Half | Side] = {}
        self.opening: dict[str, dict[Pair, None]] = {}
        self._deadlines: list[tuple[float, int, Pair]] = []
        self._ties = count()

    def __len__(self) -> int:
        return len(self.followed)

    def find(self, flow: Flow) -> Half | None:
        """The direction that this flow is."""
        return self.halves.get((flow.source, flow.destination))

    def use(self, half: Half, flow: Flow, time: float) -> None:
        """A packet of this direction was seen."""
        pair = half.pair
        half.flow = flow
        half.seen = True
        pair.last = time
        self.followed.move_to_end(pair)

    def open(self, flow: Flow, time: float, sip: bool) -> Half:
        """A new connection, first seen by a packet of this flow."""
        pair = Pair(Half(flow), Half(flow.back()), sip)
        self.halves[(flow.source, flow.destination)] = pair.first
        self.halves[(flow.destination, flow.source)] = pair.second
        self.followed[pair] = None
        self.use(pair.first, flow, time)
        return pair.first

    def forget(self, pair: Pair | Side) -> None:
        """Drop a connection with all it holds; one that is dropped already stays so."""
        if pair not in self.followed:
            return
        if isinstance(pair, Side):
            if pair.held:
                self.hold(pair, 0)
            if pair.other is not None and pair.other.held:
                self.hold(pair.other, 0)
            self.unfollow(pair)
            return
        del self.followed[pair]
        self.answered(pair)
        for half in (pair.first, pair.second):
            self.hold(half, 0)
            key = (half.flow.source, half.flow.destination)
            if self.halves.get(key) is half:
                del self.halves[key]
        pair.untie()

    def follow(self, side: Side) -> Side:
        """Follow a direction of a calm connection, and with the first one the connection; that one."""
        flow, other = side.flow, side.other
        self.sides[flow.source, flow.destination] = side
        if other is None:
            self.followed[side] = None
            side.first = side
            return side
        side.first, other.other = other, side
        return other

    def unfollow(self, first: Side) -> None:
        """Drop a calm connection; what it holds goes to who follows it otherwise."""
        flow = first.flow
        del self.followed[first]
        del self.sides[flow.source, flow.destination]
        if first.other is not None:
            del self.sides[flow.destination, flow.source]
        first.first = first.other = None   # as of `Pair.untie`

    def oldest(self) -> Pair | Side:
        """The connection that was not used for longest."""
        return next(iter(self.followed))

    def holding(self) -> list[Half | Side]:
        """The directions that hold bytes, in the order in which they began to."""
        return list(self._holding.values())

    def account(self, half: Half) -> None:
        """Bring `held` up to date with what a direction keeps."""
        framed = half.framer.pending if half.framer else len(half.opening)
        waiting = half.reassembly.waiting
        if framed or waiting or half.places or half.held:
            packets = len(half.places) + len(waiting)
            self.hold(half, framed + half.reassembly.waiting_bytes + packets * PLACE_COST)

    def hold(self, half: Half | Side, held: int) -> None:
        """A direction keeps so many bytes now."""
        if held == half.held:
            return
        self.held += held - half.held
        half.held = held
        if held:
            self._holding[_place(half)] = half
        else:
            self._holding.pop(_place(half), None)

    def hold_instead(self, half: Half, side: Side) -> None:
        """A direction keeps what that of a calm connection did."""
        half.held = side.held
        self._holding[_place(half)] = half

    def asked(self, pair: Pair) -> None:
        """The client's SYN awaits its answer."""
        if pair.client and not pair.established:
            self.opening.setdefault(pair.client.flow.source_host, {})[pair] = None

    def answered(self, pair: Pair) -> None:
        """The SYN of a connection awaits no answer any more."""
        host = pair.client.flow.source_host if pair.client else ""
        waiting = self.opening.get(host)
        if waiting is not None:
            waiting.pop(pair, None)
            if not waiting:
                del self.opening[host]

    def schedule(self, pair: Pair) -> None:
        """See to it that the connection is `due` in time. Deadlines that move later are found out when they come."""
        deadline = pair.deadline()
        if deadline >= pair.scheduled:
            return
        pair.scheduled = deadline
        heappush(self._deadlines, (deadline, next(self._ties), pair))
        if len(self._deadlines) > 4 * len(self.followed) + 1000:  # mostly entries of connections long forgotten
            self._deadlines = [entry for entry in self._deadlines if entry[2] in self.followed]
            heapify(self._deadlines)

    def due(self, time: float) -> Iterator[Pair]:
        """The connections that may be overdue, each once; the caller schedules them again."""
        while self._deadlines and self._deadlines[0][0] <= time:
            pair = heappop(self._deadlines)[2]
            pair.scheduled = inf
            if pair in self.followed:
                yield pair

    def drop_idle(self, time: float) -> None:
        """Forget what was not used for 10 minutes."""
        followed, before = self.followed, time - IDLE
        while followed and (oldest := next(iter(followed))).last < before:
            self.forget(oldest)


def _place(half: Half | Side) -> Ends | Half | Side:
    """What a direction has in common with the one that takes its place: its ends, but where both have the same ones."""
    flow = half.flow
    return half if flow.source == flow.destination else (flow.source, flow.destination)
