"""A line: where its requests go, and how its registration is kept alive (reference-model.md 3)."""

from __future__ import annotations

import math
from typing import Unpack

from tests.model.fleet.clock import Task
from tests.model.fleet.phone import Outcome
from tests.model.fleet.returning import Returning
from tests.model.fleet.wire import Details


class Line(Returning):
    """One registration of a phone."""

    def originate(self, method: str, *, hang_up: float | None = None, **request: Unpack[Details]) -> Task:
        """Send a request to the server that is first now, and to the next ones when that fails; returns the Outcome."""
        yield from self.settled()
        server, trying = yield from self._first(method)
        tried: set[str] = set()
        outcome = Outcome(None, failure="nothing reachable")
        for _ in range(2 * len(self.phone.order)):
            if server is None or self.off:
                break
            since, epoch = self.now, self.epoch
            self._note(server, method)
            outcome = yield from self.phone.ask(self.number, server, method, hang_up=hang_up, **request)
            if outcome.exchange is not None and outcome.exchange.follows is not None:
                self.challenger = server
            if not self.phone.fails(outcome, method):
                if self.epoch == epoch:  # an answer from a server that the line has left since moves nothing
                    self._served(server, outcome, since, trying)
                break
            if hang_up is not None and self.now >= hang_up:
                break
            tried.add(server)
            if trying:
                trying, server = False, (yield from self._return(server, since))
            else:
                self._note_stay(outcome)
                server = yield from self._fail_over(server, method, tried)
            if self.habits.fresh_diverted and method == "INVITE":
                request |= {"call": self.phone.wire.new_number(), "call_id": self.phone.new_call_id()}
            yield 0.01
        return outcome

    def _served(self, server: str, outcome: Outcome, since: float, trying: bool) -> None:
        """A server answered: it becomes the working server, if the answer makes one (section 1)."""
        self.exhausted = self.exhausted and not outcome.alive
        answered = outcome.good or (self.habits.other_finals_move and outcome.status >= 400
                                    and not outcome.abandoned and outcome.status not in (403, 404, 408, 480)
                                    and not 500 <= outcome.status < 600)
        if server != self.working and answered:
            self._move(server, since, failover=not trying)

    def keep_registered(self) -> Task:
        """From the start of the phone on: register, renew, and try again after failures."""
        if not self.habits.registers:
            return
        session = self.session
        while not self.off and self.session == session:
            at, server = self._next_renewal()
            due = (yield self.kick, max(at - self.now, 0.0)) is None
            if due and not self.off and self.session == session:
                yield from self._renew(server)

    def _next_renewal(self) -> tuple[float, str]:
        """When the next REGISTER is sent, and for which server's binding."""
        bindings = self.bindings
        if self.habits.direct:
            latest = next(iter(bindings), None)
            return (self.retry_at, self.working) if latest is None else (
                max(bindings[latest].renew_at, self.retry_at), latest)
        due = [(max(binding.renew_at, self.retry_at), server) for server, binding in bindings.items()
               if server == self.working or (self.habits.keeps_old and self.habits.regime == "R1")]
        if self.working not in bindings:
            due.append((self.retry_at, self.working))
        return min(due)

    def _renew(self, server: str) -> Task:
        """A renewal, or another attempt to register after one that failed."""
        habits = self.habits
        yield from self.settled()
        if habits.breaks("signalling-after-expiry") and self.now > 200 and self.live(server):
            self.bindings[server].renew_at = math.inf
            return
        if self.working != server and server not in self.bindings:
            return  # the line has moved in the meantime
        if habits.direct or habits.regime == "R1":
            yield from self._renew_anywhere(server)
            return
        if not self.home and self._renewal_goes_back():
            at = self.working
            yield from self._try_back()
            if self.working != at:
                return  # at the primary, or at a server between (B8)
            if habits.try_wait and habits.mode == "registration":
                yield self.phone.chance.uniform(30, 60)
        yield from self._register_or_move(self.working)

    def _renewal_goes_back(self) -> bool:
        """R2, R3: whether a renewal at another server tries the primary first (B3; in mode newRequests B1 allows
        both)."""
        habits = self.habits
        if habits.mode == "registration":
            if habits.breaks("overdue-failback"):
                self.phone.wronged("overdue-failback", self.number)
                return False
            return True
        return habits.mode == "newRequests" and self.draw(habits.register_goes_back)

    def _renew_anywhere(self, server: str) -> Task:
        """R0, R1: the renewal may go to the binding's server, the working server, or a primary that is due."""
        habits, primary = self.habits, self.phone.primary
        own = habits.direct or server == self.working
        if own and not self.home and habits.mode == "registration" and server in self.bindings \
                and not habits.breaks("overdue-failback"):
            self.due_at = self.now  # B3: from now on the primary is first for new requests
        if not own:  # R1: the old binding is refreshed at its own time, or left to expire (F7)
            outcome = (yield from self.register(server, still=lambda: self.live(server))) or Outcome(None)
            if not outcome.good:
                self.bindings.pop(server, None)
            return
        target = self.working if not habits.direct else self.phone.chance.choice((server, self.working))
        due = not self.home and self.now >= self.due_at and not habits.breaks("premature-failback")
        if due and self.draw(habits.register_goes_back) and (habits.direct or not self.live(primary)
                                                             or habits.mode == "registration"):
            target = primary
        if target == self.working or not (self.live(target) or due):
            yield from self._register_or_move(self.working)
            return
        was_live = self.live(target)
        outcome = yield from self.register(target)
        if outcome.good:
            if target == primary and not was_live:
                self._move(target, self.now, failover=False)
            elif server in self.bindings and self.bindings[server].renew_at <= self.now:
                self.bindings[server].renew_at = self.now + self.phone.chance.uniform(30, 60)
        else:
            self.bindings.pop(target, None)
            yield from self._register_or_move(self.working)

    def _register_or_move(self, server: str) -> Task:
        """REGISTER to the working server; when it fails the line fails over (F2, F4, F5)."""
        tried: set[str] = set()
        passed = self._passed_over(server)
        target: str | None = (yield from self._fail_over(server, "REGISTER", tried)) if passed else server
        for _ in range(len(self.phone.order)):
            if target is None:
                break
            if self.off or (target != server and not self.habits.direct):
                return  # logged out meanwhile, or the failover has registered there itself
            mistake = self._mistake(target)
            self._note(target, "REGISTER")
            outcome = yield from self.register(target, wrong_target=mistake,
                                               still=lambda: self.habits.direct or self.working == server)
            if outcome is None:
                return  # the line moved while another REGISTER was open
            if outcome.good:
                if self.habits.direct:
                    self._move(target, self.first_sent, failover=True)
                return
            if not self.phone.fails(outcome, "REGISTER"):
                break
            tried.add(target)
            self._note_stay(outcome)
            target = yield from self._fail_over(target, "REGISTER", tried)
        self.retry_at = self.now + self.phone.chance.uniform(30, 60)
        self.kick.put(True)

    def log_out(self) -> Task:
        """The user logs out: every binding is removed, and the line falls silent."""
        self.off = True
        self.session += 1
        self.epoch += 1
        for server in list(dict.fromkeys((self.working, *self.bindings))):
            yield from self.phone.ask(self.number, server, "REGISTER", expires=0.0)
        self.bindings.clear()

    def log_in(self) -> None:
        """The line begins anew, at the head of the list."""
        self.off, self.working, self.retry_at = False, self.phone.primary, self.now
        self.failed.clear()
        self.registered_once.clear()
        self.due_at, self.exhausted = math.inf, False
        self.epoch += 1
