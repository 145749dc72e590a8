"""A phone: what its lines share (idleness, failure evidence, names), and how a request is sent."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Unpack

from tests.model.fleet.clock import Clock, Life, Task
from tests.model.fleet.habits import Habits
from tests.model.fleet.retries import waits
from tests.model.fleet.wire import CHALLENGES, Details, Exchange, Wire

RINGS_AT_MOST = 180.0
FRESH = 28.0  # seconds for which a phone trusts what it learned of a server (B1: a contact within 32 s is enough)
TRIGGERS = ("REGISTER", "INVITE", "SUBSCRIBE")  # research/polycom.md 2: REGISTER and requests that open a dialog


@dataclass
class Outcome:
    """How a request ended for the phone: with a final answer, a failure, or because the user gave up."""

    exchange: Exchange | None
    status: int = 0
    failure: str = ""          # silence, a hard failure, dns; empty if there was an answer
    abandoned: bool = False

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def alive(self) -> bool:
        """Whether the answer is one that a working server gives (F4)."""
        return self.good or (self.status >= 400 and self.status not in (408, 480) and not 500 <= self.status < 600)


@dataclass
class Wronged:
    """The phone's own note that it broke a rule."""

    time: float
    rule: str
    line: int


@dataclass
class Phone:
    habits: Habits
    clock: Clock
    wire: Wire
    chance: random.Random
    order: list[str]
    life: Life = field(default_factory=Life)
    calls: int = 0                                               # up, ringing or dialled, on all lines
    evidence: dict[str, float] = field(default_factory=dict)     # server -> when it was last seen to fail
    touched: dict[str, float] = field(default_factory=dict)      # server -> the last time a request was sent to it
    talking: list[float] = field(default_factory=list)           # for each call that is up: since when
    resolved_until: float = -1.0                                 # when the last DNS answer expires
    waiting: dict[str, float] = field(default_factory=dict)      # server -> end of its Retry-After
    proven: dict[tuple[int, str], float] = field(default_factory=dict)  # (line, server) -> the last call given up that
    #                                                                       it has answered after all: when it was begun
    wrongs: list[Wronged] = field(default_factory=list)

    @property
    def now(self) -> float:
        return self.clock.now

    @property
    def primary(self) -> str:
        return self.order[0]

    orders: list[tuple[float, tuple[str, ...]]] = field(default_factory=list)  # lists from later DNS answers, and when

    def forget(self) -> None:
        """Power failure: forget calls, evidence, and what was learned about servers."""
        self.calls = 0
        for memory in (self.talking, self.evidence, self.touched, self.waiting, self.proven):
            memory.clear()

    def wronged(self, rule: str, line: int, at: float | None = None) -> None:
        self.wrongs.append(Wronged(self.now if at is None else at, rule, line))

    def new_call_id(self) -> str:
        return f"c{self.wire.new_number()}"

    def idle(self) -> bool:
        return self.calls == 0

    @property
    def talking_since(self) -> float | None:
        return min(self.talking, default=None)

    def is_dead(self, server: str) -> bool:
        """Whether the phone has lately learned that the server cannot be used."""
        lately = min(self.evidence.get(server, -1e9), self.touched.get(server, -1e9))
        return self.now - lately < FRESH or (
            self.habits.honours_retry_after and self.now < self.waiting.get(server, -1e9))

    # -- a single request

    def ask(self, line: int, server: str, method: str, *, hang_up: float | None = None, wrong_target: str | None = None,
            began: Callable[[Exchange], None] | None = None, wanted: Callable[[], bool] = lambda: True,
            **details: Unpack[Details]) -> Task:
        """Send it, with retransmissions, credentials and 423; returns the Outcome. `hang_up`: when the user gives up.

        `wrong_target` is where credentials go by mistake; `began` is called with every transaction; no other follows
        once the request is not `wanted` any more.
        """
        last = server == self.order[-1]
        follows: int | None = None
        for again in range(4):
            if self._unresolved(server, again):
                return Outcome(None, failure="dns")
            exchange = self.wire.send(line, server, method, self.primary, follows=follows, **details)
            self.touched[server] = self.now
            if began is not None:
                began(exchange)
            outcome = yield from self._await(exchange, hang_up, waits(self.habits, method, last=last))
            status = outcome.status
            if status in CHALLENGES and not details.get("proves"):
                details["proves"] = True
            elif status == 423:
                details["expires"] = max(float(self.wire.plan.min_expires), 60.0)
            elif status == 302 and follows is None:
                pass  # the redirect's Contact names the server itself
            else:
                self._learn(outcome, server)
                return outcome
            follows, details["fresh"] = exchange.number, False
            yield 0.002
            if not wanted():
                break
            if wrong_target is not None and status in CHALLENGES:
                server = wrong_target
                self.wronged("credentials-to-wrong-server", line)
        self._learn(outcome, server)
        return outcome

    def _unresolved(self, server: str, again: int) -> bool:
        """Resolve a server's name before a request to it; True if it does not resolve, so that nothing can be sent."""
        if not again and self.habits.ttl_seen and self.now >= self.resolved_until:
            self._look_up()
        if again or self.wire.plan.fate(server, self.now, "") != "dns":
            return False
        self.wire.looked_up(server)
        self.wire.unresolved(server)
        self.evidence[server] = self.touched[server] = self.now
        return True

    def _look_up(self) -> None:
        """Query the list again after the last answer has expired; DNS may have changed it."""
        assert self.habits.ttl is not None
        low, high = self.habits.ttl
        turns = self.wire.plan.reorders_at
        reordered = turns is not None and self.now >= turns and not self.orders
        if reordered:
            self.order.append(self.order.pop(0))
            self.orders.append((self.now, tuple(self.order)))
        for server in self.order:
            self.wire.looked_up(server)
        self.wire.resolved(float(low), float(high), reordered)
        self.resolved_until = self.now + max(low, 5)

    def _await(self, exchange: Exchange, hang_up: float | None, steps: list[float]) -> Task:
        """Wait for the final answer; returns the Outcome."""
        for number, step in enumerate(steps):
            wait = step + self.chance.uniform(-0.02, 0.04)
            end = self.now + wait
            while True:
                limit = end if hang_up is None else min(end, hang_up)
                news = yield exchange.news, max(limit - self.now, 0.0)
                if isinstance(news, str):
                    self.wire.given_up(exchange)
                    return Outcome(exchange, failure=news)
                if news is not None and news >= 200:
                    return Outcome(exchange, status=news)
                if news is not None and exchange.method == "INVITE":
                    return (yield from self._ringing(exchange, hang_up))
                if news is None:
                    break
            if hang_up is not None and self.now >= hang_up - 1e-6:
                return self._leave(exchange, Outcome(exchange, abandoned=True))
            if number + 1 < len(steps):
                self.wire.resend(exchange)
        return self._leave(exchange, Outcome(exchange, failure="silence"))

    def _leave(self, exchange: Exchange, outcome: Outcome) -> Outcome:
        """The phone stops waiting. A late provisional response to an INVITE leads to CANCEL, a 2xx to ACK and BYE."""
        self.wire.given_up(exchange)
        if exchange.method == "INVITE":
            life = self.life
            exchange.late = lambda status: None if life.over else self._take_back(exchange, status)
        return outcome

    def _take_back(self, exchange: Exchange, status: int) -> None:
        if exchange.in_dialog:
            return
        if Outcome(exchange, status).alive:
            self.proven[exchange.line, exchange.server] = exchange.born
        if 200 <= status < 300:
            self.clock.start(self._farewell(exchange), self.life)
        elif 100 < status < 200 and not exchange.cancelled:
            self.clock.start(self.cancel(exchange), self.life)

    def _farewell(self, exchange: Exchange) -> Task:
        yield 0.01
        if exchange.call is not None:
            self.clock.after(0.0, lambda: self.wire.bye(exchange.call or 0, exchange.line, exchange.server))
        yield from self.ask(exchange.line, exchange.server, "BYE", in_dialog=True, call=exchange.call,
                            call_id=exchange.call_id)

    def cancel(self, exchange: Exchange) -> Task:
        """CANCEL an INVITE that has a provisional response (RFC 3261 9.1)."""
        outcome = yield from self.ask(exchange.line, exchange.server, "CANCEL", call=exchange.call,
                                      call_id=exchange.call_id)
        if outcome.good:
            self.wire.cancel(exchange)

    def _ringing(self, exchange: Exchange, hang_up: float | None) -> Task:
        """A provisional response ends retransmission; only a final answer or the user ends the INVITE (F4)."""
        limit = min(self.now + RINGS_AT_MOST, hang_up if hang_up is not None else 1e12)
        while True:
            news = yield exchange.news, max(limit - self.now, 0.0)
            if isinstance(news, int) and news >= 200:
                return Outcome(exchange, status=news)
            if isinstance(news, str):
                return Outcome(exchange, failure=news)
            if news is None:
                break
        self._leave(exchange, Outcome(exchange))
        yield from self.cancel(exchange)
        yield 1.0
        if hang_up is None and not exchange.final and self.habits.moves_on_open_codes:
            return Outcome(exchange, failure="silence after a provisional response")
        return Outcome(exchange, status=exchange.final, abandoned=True)

    def _learn(self, outcome: Outcome, server: str) -> None:
        """What the phone learns about its server from the end of a request."""
        exchange = outcome.exchange
        if exchange is not None and (exchange.in_dialog or exchange.method not in TRIGGERS):
            return
        if outcome.failure or outcome.status == 503:
            self.evidence[server] = self.now
            if exchange is not None and exchange.retry_after is not None:
                self.waiting[server] = self.now + exchange.retry_after
        elif 0 < outcome.status < 500 and outcome.status not in (403, 404, 408, 480):
            self.evidence.pop(server, None)

    def fails(self, outcome: Outcome, method: str) -> bool:
        """Whether this outcome makes the phone go to another server (F2-F4)."""
        if outcome.abandoned:
            return False
        if outcome.failure:
            return True
        if outcome.status == 503:
            return self.habits.moves_on_503
        if method == "REGISTER" and outcome.status >= 300:
            return self.habits.moves_on_refusal
        return outcome.status in (408, 480, 500, 504) and self.habits.moves_on_open_codes
