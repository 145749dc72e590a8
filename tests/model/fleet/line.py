"""A line: its registration, failover and failback (reference-model.md 3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from tests.model.fleet.clock import Mailbox, Signal, Task
from tests.model.fleet.habits import OVERLAP
from tests.model.fleet.phone import Outcome, Phone
from tests.model.fleet.wire import Exchange

CONTACT_REACH = 30.0  # B1: a contact with the primary within 32 s is enough


@dataclass
class Binding:
    renew_at: float
    until: float


class Line:
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
        self.exhausted = False            # the list came to its end: the next request starts from the first server
        self.challenger: str | None = None
        self.moved_at, self.first_try = -math.inf, True
        self.first_sent = 0.0             # of the last REGISTER, before any credentials
        self.calling_then = False         # whether a call was up then
        self.moves: list[float] = []
        self.retries: list[float] = []    # when failed tries began
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
        """While the line fails over with reRegisterOn nothing else begins (F6)."""
        while self.moving is not None:
            yield self.moving

    # -- REGISTER

    def register(self, server: str, *, still: Callable[[], bool] = lambda: True,
                 wrong_target: str | None = None) -> Task:
        """One REGISTER, one at a time (RFC 3261 10.2), if it is `still` wanted; the Outcome, None if not sent."""
        while self.registering is not None:
            yield self.registering
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
            call_id=call_id, wrong_target=wrong_target)
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
        """A 200: the binding it grants, if any (F6, *Renewal*)."""
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
            self.bindings.clear()  # R0: servers share one registration
        self.bindings[server] = Binding(self.now + wait + max(self.jitter(), -wait / 10), self.now + life)
        self.kick.put(True)

    # -- a request that begins a dialog, or another request out of dialogs

    def originate(self, method: str, *, hang_up: float | None = None, **request: object) -> Task:
        """Send it where it belongs now, move on when that fails; returns the Outcome."""
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
                if self.epoch == epoch:  # an answer from the server just left moves nothing
                    self._served(server, outcome, since, trying)
                break
            if hang_up is not None and self.now >= hang_up:
                break
            tried.add(server)
            if trying:
                trying, server = False, (yield from self._return(server))
            else:
                self._note_stay(outcome)
                server = yield from self._fail_over(server, method, tried)
            if self.habits.fresh_diverted and method == "INVITE":
                request |= {"call": self.phone.wire.new_number(), "call_id": self.phone.new_call_id()}
            yield 0.01
        return outcome

    def _note(self, server: str, method: str) -> None:
        """Wrongs that are seen in where a request goes."""
        if server != self.working:
            return
        if self.habits.breaks("overdue-failback") and self.now > self.due_at + 5:
            self.phone.wronged("overdue-failback", self.number)
        if method != "INVITE":
            return
        ended = max((binding.until for binding in self.bindings.values()), default=math.inf)
        if self.habits.breaks("signalling-after-expiry") and self.now > ended + 32:
            self.phone.wronged("signalling-after-expiry", self.number)

    def _first(self, method: str) -> Task:
        """The server asked first, and whether that is a failback try."""
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
        if self.exhausted or (self.habits.shares_evidence and self.phone.is_dead(self.working)):
            return (yield from self._fail_over(self.working, method, set())), False
        return self.working, False

    def _leave_for_nothing(self) -> Task:
        target = self.phone.order[self.phone.order.index(self.working) + 1]
        self.phone.wronged("failover-without-failure", self.number)
        if not self.habits.direct:
            outcome = yield from self.register(target)
            if not outcome.good:
                return self.working
        self._move(target, self.now, failover=True)
        return target

    def _probes(self, target: str) -> bool:
        """R1: whether a REGISTER comes first. Right where the binding lapsed (F7), odd where it lives (B7)."""
        if self.habits.breaks("failback-probe-registration") and self.live(target):
            self.phone.wronged("failback-probe-registration", self.number)
            return True
        if target not in self.registered_once:
            return True  # F6: it never was registered with
        return not self.live(target) and self.draw(0.5)

    def _note_early(self, target: str) -> str:
        if self.habits.breaks("premature-failback") and self.now < self.due_at - 5.0:
            self.phone.wronged("premature-failback", self.number)
        return target

    def _target(self) -> str:
        """The primary, or (B8) a server between it and the working one."""
        order = self.phone.order
        between = order[1:order.index(self.working)]
        if between and self.habits.mode != "newRequests" and self.draw(self.habits.between):
            return self.phone.chance.choice(between)
        return order[0]

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

    def _served(self, server: str, outcome: Outcome, since: float, trying: bool) -> None:
        """A server answered: it is the working one now (section 1)."""
        answered = outcome.good or (self.habits.other_finals_move and outcome.status >= 400
                                    and not outcome.abandoned and outcome.status not in (403, 404, 408, 480)
                                    and not 500 <= outcome.status < 600)
        if server != self.working and answered:
            self._move(server, since, failover=not trying)

    def _return(self, tried: str) -> Task:
        """After a failed try: the working server, or one between (F11)."""
        self._try_failed()
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
        return self.working

    def _gated(self, server: str) -> bool:
        """Whether a 200 to REGISTER must come before other requests there (F6; F7 for R1)."""
        if self.habits.direct or server == self.working:
            return False
        return not (self.habits.regime == "R1" and self.live(server))

    # -- failover

    def _candidates(self, left: str, tried: set[str]) -> list[str]:
        """Servers to go to from `left`, in order (F1, F13)."""
        order, habits = self.phone.order, self.habits
        index = order.index(left) if left in order else -1
        after, before = order[index + 1:], order[:max(index, 0)]
        if habits.wraps or self.exhausted:
            after = after + before
        self.exhausted = not after
        after = [server for server in after if server not in tried]
        if habits.breaks("failover-skipped-server") and len(after) > 1 and left == order[0]:
            after = after[1:]
            self.phone.wronged("failover-skipped-server", self.number)
        if self.challenger in after and self.draw(habits.optimized) and not habits.direct:
            after.sort(key=lambda server: server != self.challenger)
        alive = [server for server in after if not self.phone.is_dead(server)]
        return alive if habits.skips_failed and alive else after

    def _fail_over(self, left: str, method: str, tried: set[str]) -> Task:
        """The server to ask next after `left` failed, None when there is none (any more)."""
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
        """R0: the request itself goes on (F5)."""
        if self.working not in (left, *tried):
            return self.working
        target = next(iter(self._candidates(left, tried)), None)
        if target is not None and self.habits.breaks("unexpected-re-registration") and method == "INVITE":
            outcome = yield from self.register(target)
            if outcome.good:
                self.phone.wronged("unexpected-re-registration", self.number, self.first_sent)
        return target

    def _register_next(self, left: str, tried: set[str]) -> Task:
        """R1-R3: the servers in turn, until one grants a binding (F6)."""
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
        """The line works with another server now; a failover starts the clock of the failback (T0)."""
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
            del self.series[left]  # another stay, another Call-ID
        if failover and habits.regime in ("R2", "R3") and not habits.direct:
            self.bindings.pop(left, None)  # F8
            if habits.regime == "R2":
                self.failed = {left}       # F9
        start = self.now if habits.t0_late or not failover else since
        self.due_at = math.inf if self.home else self._due(start)
        if not self.home and habits.regime in ("R2", "R3") and habits.mode in ("DNSTTL", "duration") \
                and not habits.direct:
            self.phone.clock.start(self._come_back(self.epoch), self.phone.life)
        self.retry_at = self.now + 0.5
        self.kick.put(True)

    # -- failback

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

    def _try_failed(self) -> None:
        """The timer starts again from an unspecified moment."""
        habits = self.habits
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
        """R2, R3: the try by REGISTER once it is due and the phone is idle, asked every second (B5)."""
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
            if not ready():
                yield 1.0
                continue
            before = self.due_at
            if habits.breaks("premature-failback") and not failures and self.now < due + 10 < self.due_at:
                self.phone.wronged("premature-failback", self.number)
            if (yield from self._try_back(ready)):
                return
            failures += self.due_at != before
            self._note_retry()

    def _note_retry(self) -> None:
        """Breaks B5's measure: the fifth failed try within one D."""
        delay = 120.0 if self.habits.mode == "DNSTTL" else self.habits.delay or 0.0
        self.retries = [*self.retries[-4:], self.first_sent]
        if self.habits.breaks("failback-retried-too-often") and len(self.retries) == 5 \
                and self.now - self.retries[0] < delay:
            self.phone.wronged("failback-retried-too-often", self.number, self.first_sent)

    def _calling(self) -> bool:
        """Breaks B5: idle, or a call of the phone is well up."""
        up = self.phone.talking_since
        return self.phone.idle() or (up is not None and self.now - up > 3.0)

    def _try_back(self, ready: Callable[[], bool] = lambda: True) -> Task:
        """R2, R3: REGISTER to the primary; the line moves by its 200 (B6). Whether it is back."""
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
        if outcome is not None and outcome.good:
            self._move(target, self.now, failover=False)
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

    # -- the registration kept alive

    def keep_registered(self) -> Task:
        """From the start of the phone on: register, renew, try again."""
        if not self.habits.registers:
            return
        session = self.session
        while not self.off and self.session == session:
            at, server = self._next_renewal()
            if (yield self.kick, max(at - self.now, 0.0)) is None:
                yield from self._renew(server)

    def _next_renewal(self) -> tuple[float, str]:
        """When the next REGISTER goes out, and for which server's binding."""
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
        """A renewal, or another attempt to register at all."""
        habits = self.habits
        yield from self.settled()
        if habits.breaks("signalling-after-expiry") and self.now > 200 and self.live(server):
            self.bindings[server].renew_at = math.inf
            return
        if self.working != server and server not in self.bindings:
            return  # the line has moved meanwhile
        if habits.direct or habits.regime == "R1":
            yield from self._renew_anywhere(server)
            return
        if not self.home and self._renewal_goes_back():
            if (yield from self._try_back()):
                return
            if habits.try_wait and habits.mode == "registration":
                yield self.phone.chance.uniform(30, 60)
        yield from self._register_or_move(self.working)

    def _renewal_goes_back(self) -> bool:
        """R2, R3: whether a renewal at another server tries the primary first (B3; B1: either way)."""
        habits = self.habits
        if habits.mode == "registration":
            if habits.breaks("overdue-failback"):
                self.phone.wronged("overdue-failback", self.number)
                return False
            return True
        return habits.mode == "newRequests" and self.draw(habits.register_goes_back)

    def _renew_anywhere(self, server: str) -> Task:
        """R0, R1: the renewal may go to the binding's server, the working one, or a primary that is due."""
        habits, primary = self.habits, self.phone.primary
        own = habits.direct or server == self.working
        if own and not self.home and habits.mode == "registration" and server in self.bindings \
                and not habits.breaks("overdue-failback"):
            self.due_at = self.now  # B3: from this instant on the primary is first for new requests
        if not own:  # R1: the old binding refreshed at its own time, or let go (F7)
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
        else:
            self.bindings.pop(target, None)
            yield from self._register_or_move(self.working)

    def _register_or_move(self, server: str) -> Task:
        """REGISTER to the working server; when it fails the line fails over (F2, F4, F5)."""
        tried: set[str] = set()
        dead = self.exhausted or (self.habits.shares_evidence and self.phone.is_dead(server))
        target: str | None = (yield from self._fail_over(server, "REGISTER", tried)) if dead else server
        for _ in range(len(self.phone.order)):
            if target is None:
                break
            if target != server and not self.habits.direct:
                return  # registered there by the failover itself
            mistake = self._mistake(target)
            self._note(target, "REGISTER")
            outcome = yield from self.register(target, wrong_target=mistake)
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

    def _mistake(self, target: str) -> str | None:
        """Breaks F13: another server than the one that asks."""
        if not self.habits.breaks("credentials-to-wrong-server") or not self.live(target) or self.draw(0.5):
            return None
        return next(server for server in reversed(self.phone.order) if server != target)

    # -- log-out

    def log_out(self) -> Task:
        """The user logs out: every binding is taken back, and the line is silent."""
        self.off = True
        self.session += 1
        self.epoch += 1
        for server in list(dict.fromkeys((self.working, *self.bindings))):
            yield from self.phone.ask(self.number, server, "REGISTER", expires=0.0)
        self.bindings.clear()

    def log_in(self) -> None:
        """All begins anew, at the head of the list."""
        self.off, self.working, self.retry_at = False, self.phone.primary, self.now
        self.failed.clear()
        self.registered_once.clear()
        self.due_at = math.inf
        self.epoch += 1
