"""The table of followed connections: lookup by flow, order of use, bytes held, and deadlines."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf

from sipaudit.capture.tcp_connections import Half, Pair, Side
from sipaudit.sip.datagram import Flow

IDLE = 600.0      # seconds after which an unused connection is forgotten; it is joined in the middle when used again
PLACE_COST = 128  # bytes of memory that a remembered packet takes, roughly

Ends = tuple[str, str]
"""Source and destination of one direction of a connection, each as `host:port`."""


class Table:
    """Connections in the order of their use.

    `held` is the memory in bytes that unfinished messages and waiting segments take; `halves` and `sides` are the
    directions by their ends; `opening` has the connections with an unanswered SYN, by the host that sent it.
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
        """The direction with this flow, if followed and not calm."""
        return self.halves.get((flow.source, flow.destination))

    def use(self, half: Half, flow: Flow, time: float) -> None:
        """Note a packet of this direction."""
        pair = half.pair
        half.flow = flow
        half.seen = True
        pair.last = time
        self.followed.move_to_end(pair)

    def open(self, flow: Flow, time: float, sip: bool) -> Half:
        """Add a connection whose first captured packet has this flow; returns that direction."""
        pair = Pair(Half(flow), Half(flow.back()), sip)
        self.halves[(flow.source, flow.destination)] = pair.first
        self.halves[(flow.destination, flow.source)] = pair.second
        self.followed[pair] = None
        self.use(pair.first, flow, time)
        return pair.first

    def forget(self, pair: Pair | Side) -> None:
        """Drop a connection with all bytes that it holds; no effect if it was dropped before."""
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
        """Add a direction of a calm connection, and with the first one the connection. Returns the first direction."""
        flow, other = side.flow, side.other
        self.sides[flow.source, flow.destination] = side
        if other is None:
            self.followed[side] = None
            side.first = side
            return side
        side.first, other.other = other, side
        return other

    def unfollow(self, first: Side) -> None:
        """Drop a calm connection, but not its account of held bytes: its successor takes over the entry."""
        flow = first.flow
        del self.followed[first]
        del self.sides[flow.source, flow.destination]
        if first.other is not None:
            del self.sides[flow.destination, flow.source]
        first.first = first.other = None   # as in `Pair.untie`

    def oldest(self) -> Pair | Side:
        """The connection that was unused for longest."""
        return next(iter(self.followed))

    def holding(self) -> list[Half | Side]:
        """The directions that hold bytes, in the order in which they began to."""
        return list(self._holding.values())

    def account(self, half: Half) -> None:
        """Update `held` with the bytes that a direction holds now."""
        framed = half.framer.pending if half.framer else len(half.opening)
        waiting = half.reassembly.waiting
        if framed or waiting or half.places or half.held:
            packets = len(half.places) + len(waiting)
            self.hold(half, framed + half.reassembly.waiting_bytes + packets * PLACE_COST)

    def hold(self, half: Half | Side, held: int) -> None:
        """Set the number of bytes that a direction holds."""
        if held == half.held:
            return
        self.held += held - half.held
        half.held = held
        if held:
            self._holding[_place(half)] = half
        else:
            self._holding.pop(_place(half), None)

    def hold_instead(self, half: Half, side: Side) -> None:
        """Let `half` take over the held bytes of the calm direction `side`."""
        half.held = side.held
        self._holding[_place(half)] = half

    def asked(self, pair: Pair) -> None:
        """Note that the client's SYN awaits an answer."""
        if pair.client and not pair.established:
            self.opening.setdefault(pair.client.flow.source_host, {})[pair] = None

    def answered(self, pair: Pair) -> None:
        """Note that the SYN of a connection no longer awaits an answer."""
        host = pair.client.flow.source_host if pair.client else ""
        waiting = self.opening.get(host)
        if waiting is not None:
            waiting.pop(pair, None)
            if not waiting:
                del self.opening[host]

    def schedule(self, pair: Pair) -> None:
        """Make the connection `due` at its deadline. An entry stays if the deadline moves later: the caller of `due`
        finds out then."""
        deadline = pair.deadline()
        if deadline >= pair.scheduled:
            return
        pair.scheduled = deadline
        heappush(self._deadlines, (deadline, next(self._ties), pair))
        if len(self._deadlines) > 4 * len(self.followed) + 1000:  # mostly of forgotten connections
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
        """Forget connections unused for 10 minutes (IDLE)."""
        followed, before = self.followed, time - IDLE
        while followed and (oldest := next(iter(followed))).last < before:
            self.forget(oldest)


def _place(half: Half | Side) -> Ends | Half | Side:
    """The key of a direction, shared by a `Half` and the `Side` that it replaces: source and destination; the object
    itself if these are equal."""
    flow = half.flow
    return half if flow.source == flow.destination else (flow.source, flow.destination)
