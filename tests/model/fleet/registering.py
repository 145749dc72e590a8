"""A line's bindings: REGISTER and what its 200 grants."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from tests.model.fleet.clock import Mailbox, Signal, Task
from tests.model.fleet.habits import OVERLAP
from tests.model.fleet.phone import Outcome, Phone
from tests.model.fleet.wire import Exchange


@dataclass
class Binding:
    renew_at: float
    until: float


class Registering:
    """`working` is the server in use; `failed` those with which R2 exchanges nothing; `due_at` when the primary is
    first again (minus infinity: always)."""

    def __init__(self, phone: Phone, number: int) -> None:
        self.phone, self.number, self.habits = phone, number, phone.habits
        self.working = phone.primary
        self.bindings: dict[str, Binding] = {}
        self.failed: set[str] = set()
        self.registered_once: set[str] = set()
        self.due_at = math.inf
        self.retry_at = phone.now
        self.epoch = 0
        self.off = False
        self.session = 0                  # from one log-out to the next
        self.exhausted = False            # the list was exhausted: the next request starts from the first server
        self.exhausted_at = -math.inf
        self.challenger: str | None = None
        self.moved_at, self.first_try = -math.inf, True
        self.first_sent = 0.0             # time of the last REGISTER without credentials
        self.calling_then = False         # whether a call was up then
        self.moves: list[float] = []
        self.retries: list[float] = []    # times at which failed tries began
        self.moving: Signal | None = None
        self.trying: Signal | None = None
        self.registering: Signal | None = None
        self.kick = Mailbox(phone.clock)
        self.series: dict[str, str] = {}  # the Call-ID of the REGISTERs to each server

    @property
    def now(self) -> float:
        return self.phone.now

    @property
    def home(self) -> bool:
        return self.working == self.phone.primary

    def live(self, server: str) -> bool:
        return server in self.bindings and self.now < self.bindings[server].until

    def draw(self, share: float) -> bool:
        return self.phone.chance.random() < share

    def jitter(self) -> float:
        return self.phone.chance.uniform(-self.habits.jitter, self.habits.jitter)

    def settled(self) -> Task:
        """Wait while the line fails over with reRegisterOn: nothing else begins then (F6)."""
        while self.moving is not None:
            yield self.moving

    def register(self, server: str, *, still: Callable[[], bool] = lambda: True,
                 wrong_target: str | None = None) -> Task:
        """Send one REGISTER, never two at a time (RFC 3261 10.2), if it is `still` wanted by then; returns the Outcome,
        None if it was not sent."""
        while self.registering is not None:
            yield self.registering
        if self.off:
            return Outcome(None, failure="logged out")
        if not still():
            return None
        self.registering = Signal(self.phone.clock)
        call_id = self.series.get(server)
        fresh = call_id is None and (not self.series or self.habits.fresh_call_ids)
        if call_id is None:
            call_id = self.phone.new_call_id() if fresh else next(iter(self.series.values()))
            self.series[server] = call_id
        outcome: Outcome = yield from self.phone.ask(
            self.number, server, "REGISTER", expires=float(self.habits.expires), fresh=fresh, began=self._began,
            call_id=call_id, wrong_target=wrong_target, wanted=lambda: not self.off)
        if outcome.exchange is None:
            del self.series[server]  # the name did not resolve, so nothing was sent: the Call-ID is unused
        self.registering.fire()
        self.registering = None
        if outcome.good:
            self._bound(server, outcome)
        return outcome

    def _began(self, exchange: Exchange) -> None:
        if exchange.follows is not None:
            self.challenger = exchange.server
        else:
            self.first_sent, self.calling_then = exchange.born, bool(self.phone.talking)
        if self.habits.attempt_unlocks:
            self.failed.discard(exchange.server)

    def _bound(self, server: str, outcome: Outcome) -> None:
        """Store the binding that a 200 grants, if any (F6, *Renewal*)."""
        exchange = outcome.exchange
        assert exchange is not None
        life = exchange.granted if exchange.granted is not None else exchange.expires or 0.0
        if not life or (exchange.own is not True and not self.habits.accepts_odd):
            outcome.status = 0
            outcome.failure = "no binding"
            return
        self.failed.discard(server)
        self.registered_once.add(server)
        self.retry_at = self.now
        overlap = OVERLAP if self.habits.overlap is None else self.habits.overlap
        wait = life - overlap if life > overlap else life / 2
        if life == overlap or self.habits.half_renewal:
            wait = life / 2
        if self.habits.direct:
            self.bindings.clear()  # R0: the servers share one registration
        self.bindings[server] = Binding(self.now + wait + max(self.jitter(), -wait / 10), self.now + life)
        self.kick.put(True)

    def _mistake(self, target: str) -> str | None:
        """Breaks F13: chooses a server other than the one that challenged."""
        if not self.habits.breaks("credentials-to-wrong-server") or not self.live(target) or self.draw(0.5):
            return None
        return next(server for server in reversed(self.phone.order) if server != target)
