"""Failover: which server comes next, and what must come before it (F1, F5, F6, F8, F9)."""

from __future__ import annotations

import math

from tests.model.fleet.clock import Signal, Task
from tests.model.fleet.phone import Outcome
from tests.model.fleet.registering import Registering


class Moving(Registering):
    """A line that moves to another server when its own fails."""

    def _gated(self, server: str) -> bool:
        """Whether a 200 to REGISTER is needed before other requests there (F6; F7 for R1)."""
        if self.habits.direct or server == self.working:
            return False
        return not (self.habits.regime == "R1" and self.live(server))

    def _passed_over(self, server: str) -> bool:
        """Whether a new request does not begin at the working server: the list is exhausted and begins again at the
        first server (F1), or failure evidence of another line is enough."""
        answered = self.phone.proven.get((self.number, server), -math.inf) > self.exhausted_at
        anew = self.exhausted and not answered and server != self.phone.primary
        return anew or (self.habits.shares_evidence and self.phone.is_dead(server))

    def _candidates(self, left: str, tried: set[str]) -> list[str]:
        """Servers to go to from `left`, in order (F1, F13)."""
        order, habits = self.phone.order, self.habits
        index = order.index(left) if left in order else -1
        after, before = order[index + 1:], order[:max(index, 0)]
        if habits.wraps or self.exhausted:
            after = after + before
        self.exhausted, self.exhausted_at = not after and bool(tried), self.now  # evidence of others exhausts no list
        after = [server for server in after if server not in tried]
        if habits.breaks("failover-skipped-server") and len(after) > 1 and left == order[0]:
            after = after[1:]
            self.phone.wronged("failover-skipped-server", self.number)
        if self.challenger in after and self.draw(habits.optimized) and not habits.direct:
            after.sort(key=lambda server: server != self.challenger)
        alive = [server for server in after if not self.phone.is_dead(server)]
        return alive if habits.skips_failed and alive else after

    def _fail_over(self, left: str, method: str, tried: set[str]) -> Task:
        """The server to ask next after `left` failed; None when there is none (left)."""
        if self.habits.breaks("failover-missing"):
            return None
        if self.habits.direct:
            return (yield from self._divert(left, method, tried))
        if self.moving is None and self.working == left:
            if self.habits.breaks("signalling-to-unregistered-server") and method == "INVITE":
                target = next(iter(self._candidates(left, tried)), None)
                if target is not None and not self.live(target):
                    self.phone.wronged("signalling-to-unregistered-server", self.number)
                return target
            yield from self._register_next(left, tried)
        yield from self.settled()
        return None if self.working == left else self.working

    def _note_stay(self, outcome: Outcome) -> None:
        if self.habits.breaks("failover-missing") and outcome.exchange is not None:
            self.phone.wronged("failover-missing", self.number, outcome.exchange.born)

    def _divert(self, left: str, method: str, tried: set[str]) -> Task:
        """R0: the request itself goes to the next server (F5)."""
        if self.working not in (left, *tried):
            return self.working
        target = next(iter(self._candidates(left, tried)), None)
        if target is not None and self.habits.breaks("unexpected-re-registration") and method == "INVITE":
            outcome = yield from self.register(target)
            if outcome.good:
                self.phone.wronged("unexpected-re-registration", self.number, self.first_sent)
                self._move(target, self.first_sent, failover=True)
        return target

    def _register_next(self, left: str, tried: set[str]) -> Task:
        """R1-R3: REGISTER to the servers in order, until one grants a binding (F6)."""
        self.moving = Signal(self.phone.clock)
        candidates = self._candidates(left, tried)
        if self.habits.breaks("deregistration-at-failover"):
            self.phone.wronged("deregistration-at-failover", self.number)
            self.phone.clock.start(self.phone.ask(self.number, left, "REGISTER", expires=0.0), self.phone.life)
        for target in candidates:
            outcome = yield from self.register(target, still=lambda: self.working == left and not self.off)
            if outcome is None:
                break
            if outcome.good:
                self._move(target, self.first_sent, failover=True)
                break
            yield 0.05
        else:
            self.retry_at = self.now + self.phone.chance.uniform(30, 60)
            self.kick.put(True)
        self.moving.fire()
        self.moving = None

    def _move(self, server: str, since: float, *, failover: bool) -> None:
        """The line works with another server from now on; a failover starts the failback timer (T0)."""
        left, habits = self.working, self.habits
        if server == left:
            return
        self.working, self.exhausted = server, False
        self.moves = [*self.moves[-2:], self.now]
        if self.habits.breaks("flapping") and len(self.moves) == 3 and self.now - self.moves[0] < 600:
            self.phone.wronged("flapping", self.number)
        self.epoch += 1
        self.moved_at, self.first_try = self.now, True
        if failover and habits.fresh_call_ids and left in self.series and len(self.series) > 1:
            del self.series[left]  # a new stay there gets a new Call-ID
        if failover and habits.regime in ("R2", "R3") and not habits.direct:
            self.bindings.pop(left, None)  # F8
            if habits.regime == "R2":
                self.failed = {left}       # F9
        start = self.now if habits.t0_late or not failover else since
        self.due_at = math.inf if self.home else self._due(start)
        self._moved_away()
        self.retry_at = self.now + 0.5
        self.kick.put(True)

    def _moved_away(self) -> None:
        """Start the way back."""

    def _due(self, start: float) -> float:
        """When the primary is first again (B1-B4)."""
        habits = self.habits
        if habits.mode == "newRequests":
            return -math.inf
        if habits.mode == "registration":
            return math.inf  # until the renewal
        delay = habits.delay if habits.mode == "duration" else self._ttl(start)
        return math.inf if delay is None else start + delay + self.jitter()

    def _ttl(self, start: float) -> float:
        """B2: a TTL of the chain, or what is left of the last answer."""
        chance = self.phone.chance
        if self.habits.ttl is None or not self.habits.ttl[0]:
            return chance.uniform(0, 300)
        low, high = self.habits.ttl
        left = self.phone.resolved_until - start
        if self.habits.ttl_seen and 0 < left < low and chance.random() < 0.5:
            return left + 1.0
        return chance.uniform(low, high)

    def _leave_for_nothing(self) -> Task:
        target = self.phone.order[self.phone.order.index(self.working) + 1]
        self.phone.wronged("failover-without-failure", self.number)
        if not self.habits.direct:
            outcome = yield from self.register(target)
            if not outcome.good:
                return self.working
        self._move(target, self.now, failover=True)
        return target
