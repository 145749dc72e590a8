"""Failback: when the primary becomes first again, and how a line returns (B1-B8)."""

from __future__ import annotations

import math
from collections.abc import Callable

from tests.model.fleet.clock import Signal, Task
from tests.model.fleet.moving import Moving

CONTACT_REACH = 30.0  # B1: a contact with the primary within 32 s is enough


class Returning(Moving):
    """A line that returns to its primary, or to a server between (B8)."""

    def _moved_away(self) -> None:
        habits = self.habits
        if not self.home and habits.regime in ("R2", "R3") and habits.mode in ("DNSTTL", "duration") \
                and not habits.direct:
            self.phone.clock.start(self._come_back(self.epoch), self.phone.life)

    def _first(self, method: str) -> Task:
        """The server to ask first, and whether that is a failback try."""
        if not self.home and self._goes_back(method):
            target = self._target()
            if self.habits.direct:
                return self._note_early(target), True
            if self.habits.regime == "R1":
                if self._probes(target):
                    outcome = yield from self.register(target)
                    if not outcome.good:
                        self._try_failed()
                        return self.working, False
                    self._move(target, self.now, failover=False)
                    return target, False
                return self._note_early(target), True
            if self.habits.breaks("failback-without-registration"):
                self.phone.wronged("failback-without-registration", self.number)
                return target, True
            yield from self._try_back()
        elif self.habits.breaks("primary-not-tried-first") and not self.home and method == "INVITE":
            self.phone.wronged("primary-not-tried-first", self.number)
        elif self.habits.breaks("failover-without-failure") and method == "INVITE" and self.draw(0.5) \
                and self.working != self.phone.order[-1]:
            return (yield from self._leave_for_nothing()), False
        if self._passed_over(self.working):
            return (yield from self._fail_over(self.working, method, set())), False
        return self.working, False

    def _goes_back(self, method: str) -> bool:
        """Whether this request tries the primary before the working server."""
        habits, phone = self.habits, self.phone
        timed = habits.mode != "newRequests"
        if timed and not habits.direct and habits.regime != "R1":
            return habits.breaks("failback-without-registration") and method == "INVITE" and self.now >= self.due_at
        if habits.breaks("premature-failback") and method == "INVITE" and self.first_try:
            return True
        due = not timed or self.now >= self.due_at
        if not due or habits.breaks("overdue-failback") or habits.breaks("primary-not-tried-first"):
            return False
        if method != "INVITE":
            return self.draw(habits.subscribe_goes_back)
        dead = phone.is_dead(phone.primary) and self.now - phone.touched.get(phone.primary, -1e9) < CONTACT_REACH
        if habits.skips_dead_primary and dead:
            return False
        return not (habits.honours_retry_after and self.now < phone.waiting.get(phone.primary, -1e9))

    def _note(self, server: str, method: str) -> None:
        """Note wrongs that show in the choice of server for this request."""
        if server != self.working:
            return
        if self.habits.breaks("overdue-failback") and self.now > self.due_at + 5:
            self.phone.wronged("overdue-failback", self.number)
        if method != "INVITE":
            return
        ended = max((binding.until for binding in self.bindings.values()), default=math.inf)
        if self.habits.breaks("signalling-after-expiry") and self.now > ended + 32:
            self.phone.wronged("signalling-after-expiry", self.number)

    def _note_early(self, target: str) -> str:
        if self.habits.breaks("premature-failback") and self.now < self.due_at - 5.0:
            self.phone.wronged("premature-failback", self.number)
        return target

    def _probes(self, target: str) -> bool:
        """R1: whether a REGISTER is sent first. Correct where the binding has expired (F7), odd where it is alive
        (B7)."""
        if self.habits.breaks("failback-probe-registration") and self.live(target):
            self.phone.wronged("failback-probe-registration", self.number)
            return True
        if target not in self.registered_once:
            return True  # F6: the line never was registered there
        return not self.live(target) and self.draw(0.5)

    def _target(self) -> str:
        """The primary, or (B8) a server between it and the working one."""
        order = self.phone.order
        between = order[1:order.index(self.working)]
        if between and self.habits.mode != "newRequests" and self.draw(self.habits.between):
            return self.phone.chance.choice(between)
        return order[0]

    def _return(self, tried: str, began: float) -> Task:
        """The server after a failed try: the working one, or one between (F11)."""
        self._try_failed(began)
        order = self.phone.order
        between = order[order.index(tried) + 1:order.index(self.working)] if tried != self.working else []
        if between and self.draw(self.habits.between):
            target = self.phone.chance.choice(between)
            if self._gated(target):
                outcome = yield from self.register(target)
                if outcome.good:
                    self._move(target, self.now, failover=False)
                    return target
            else:
                return target
        if self.habits.regime == "R1" and self.habits.registers and not self.live(self.working):
            yield from self.register(self.working)
        return self.working

    def _try_failed(self, began: float = math.inf) -> None:
        """Restart the timer (from when is unspecified), unless a failover since the try `began` has restarted it."""
        habits = self.habits
        if began < self.moved_at:
            return
        if habits.mode in ("DNSTTL", "duration"):
            again = (self.habits.ttl or (60, 60))[1] if habits.mode == "DNSTTL" else habits.delay or math.inf
            self.first_try = False
            share = habits.rearm if habits.direct or habits.regime == "R1" else max(habits.rearm, 0.6)
            if habits.breaks("failback-retried-too-often"):
                share = 0.05
            self.due_at = self.now + share * again if math.isfinite(again) else math.inf
        elif habits.mode == "registration" and habits.rearm:
            self.due_at = math.inf

    def _come_back(self, epoch: int) -> Task:
        """R2, R3: a try by REGISTER once it is due and the phone is idle, which is checked every second (B5)."""
        habits, failures = self.habits, 0
        while self.epoch == epoch and self.due_at < math.inf and not self.off:
            due = self.due_at
            if habits.breaks("premature-failback") and not failures:
                due = self.moved_at + 0.4 * (self.due_at - self.moved_at)
            if self.now < due:
                yield max(due - self.now, 0.05)
                continue
            if habits.breaks("overdue-failback") or habits.breaks("failback-without-registration"):
                return
            ready = self._calling if habits.breaks("failback-during-call") else self.phone.idle
            if self.moving is not None or not ready():  # a failover that is under way restarts the timer (T0)
                yield 1.0
                continue
            before = self.due_at
            if habits.breaks("premature-failback") and not failures and self.now < self.due_at - 5.0:
                self.phone.wronged("premature-failback", self.number)
            if (yield from self._try_back(ready)):
                return
            failures += self.due_at != before
            self._note_retry()
            yield 1.0

    def _note_retry(self) -> None:
        """Notes a wrong under B5: the fifth failed try within one D."""
        delay = 120.0 if self.habits.mode == "DNSTTL" else self.habits.delay or 0.0
        self.retries = [*self.retries[-4:], self.first_sent]
        if self.habits.breaks("failback-retried-too-often") and len(self.retries) == 5 \
                and self.now - self.retries[0] < delay:
            self.phone.wronged("failback-retried-too-often", self.number, self.first_sent)

    def _calling(self) -> bool:
        """Breaks B5: true when the phone is idle, or a call of it has been up for 3 s."""
        up = self.phone.talking_since
        return self.phone.idle() or (up is not None and self.now - up > 3.0)

    def _try_back(self, ready: Callable[[], bool] = lambda: True) -> Task:
        """R2, R3: REGISTER to the primary; its 200 moves the line (B6). Returns whether the line is back."""
        if self.trying is not None:
            if self.habits.waits_for_try or self.habits.mode == "newRequests":
                yield self.trying
            return self.home
        yield from self.settled()
        if self.home:
            return True
        self.trying = Signal(self.phone.clock)
        target, epoch = self._target(), self.epoch
        if self.habits.breaks("secondary-abandoned"):
            self.phone.clock.start(self._abandon(self.working), self.phone.life)
        outcome = yield from self.register(target, still=lambda: self.epoch == epoch and ready())
        if outcome is not None and self.habits.breaks("failback-during-call") and self.calling_then:
            self.phone.wronged("failback-during-call", self.number, self.first_sent)
        if outcome is not None and outcome.good:  # if the working server has failed, it is a failover (section 1)
            self._move(target, self.first_sent, failover=self.working in self.phone.evidence)
        elif outcome is not None:
            self._try_failed()
        self.trying.fire()
        self.trying = None
        return self.home

    def _abandon(self, server: str) -> Task:
        yield 0.005
        if self.trying is not None:
            self.phone.wronged("secondary-abandoned", self.number)
            yield from self.phone.ask(self.number, server, "REGISTER", expires=0.0)
