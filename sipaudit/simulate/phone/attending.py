"""The life of a registration: first registration after a start, renewals, and removal at a log-out."""

from __future__ import annotations

from sipaudit.simulate.clock import NEVER, Steps
from sipaudit.simulate.phone.line import HEAD, Line
from sipaudit.simulate.phone.registering import SETTLED, fail_over, register, retry
from sipaudit.simulate.phone.returning import come_home, try_at, try_primary

STAYS = 42.0  # seconds: longer than F2 lets any request run


def attend(line: Line) -> Steps[None]:
    """The life of a registration: register at the start, renew, and return to the primary when the mode demands it."""
    phone = line.phone
    if not line.settings.register:
        return
    yield from _begin(line)
    while True:
        yield from _until(line, min(line.renew_at, try_at(line), _old_binding(line)))
        now = phone.clock.now
        if try_at(line) <= now and line.away:
            yield from come_home(line)
        elif line.renew_at <= now:
            yield from _renew(line)
        elif _old_binding(line) <= now:
            yield from _refresh_old(line)


def _until(line: Line, time: float) -> Steps[None]:
    """Wait until `time`, or until the line's times have changed."""
    left = time - line.phone.clock.now
    if left > 0:
        yield (line.wake, left)


def _begin(line: Line) -> Steps[None]:
    """Register for the first time, at the first server that accepts the line."""
    while True:
        with (yield from line.lock.acquire()):
            answer = yield from register(line, HEAD)
            if answer.ok:
                line.began()
                return
            if line.fails(answer) and (yield from fail_over(line, HEAD)):
                return
        yield retry(line)


def _renew(line: Line) -> Steps[None]:
    with (yield from line.lock.acquire()):
        if line.renew_at > line.phone.clock.now:
            return  # a failover has renewed the registration meanwhile
        if line.wrong("signalling-after-expiry") and line.invalidates and line.phone.clock.now > SETTLED:
            line.renew_at = NEVER  # deviation: the renewal is forgotten, until after a call
            return
        if line.mode == "registration" and line.away and (yield from _renewed_at_primary(line)):
            return
        if line.neglects() and line.invalidates:
            line.commit_neglect()
        index = line.working
        if not line.gated and line.phone.habits.renews == "home" and line.live(line.home):
            index = line.home
        asked = line.phone.clock.now
        answer = yield from register(line, index)
        if answer.ok:
            return
        if answer.cause == "timeout" and line.wrong("failover-missing"):
            yield from _stay(line, index, asked)
            return
        if line.fails(answer) and (yield from fail_over(line, index)):
            return
        line.renew_at = line.phone.clock.now + retry(line)


def _stay(line: Line, index: int, first: float) -> Steps[None]:
    """Deviation: after a request at time `first` timed out, the line asks only the same server again; the failover
    comes much later."""
    yield STAYS
    began = line.phone.clock.now
    answer = yield from register(line, index)
    if not answer.cause:
        line.renew_at = line.phone.clock.now + retry(line) if not answer.ok else line.renew_at
        return
    yield began + STAYS * 2 - line.phone.clock.now
    line.commit("failover-missing", time=began)
    line.truth("failover-missing", time=first, maybe=True)  # if the response to the request before that is not captured
    if not (yield from fail_over(line, index)):
        line.renew_at = line.phone.clock.now + retry(line)


def _renewed_at_primary(line: Line) -> Steps[bool]:
    """Mode registration: the renewal goes to the primary (B3); in R0 and R1 it may also go to the working
    server. True if the renewal is done."""
    if line.wrong("overdue-failback") and line.invalidates:
        line.commit("overdue-failback")
        return False
    if not line.invalidates and line.phone.habits.renews == "working":
        line.due = line.phone.clock.now
        return False
    return (yield from try_primary(line))


def _old_binding(line: Line) -> float:
    """R1: when to renew the binding at the primary while the line works elsewhere, if the phone keeps it (F7)."""
    binding = line.bindings.get(HEAD)
    if line.regime != "R1" or not line.away or not line.phone.habits.keeps_old or binding is None:
        return NEVER
    return binding.renew


def _refresh_old(line: Line) -> Steps[None]:
    line.bindings[HEAD].renew = NEVER
    renew_at, due = line.renew_at, line.due
    yield from register(line, HEAD)
    line.renew_at, line.due = renew_at, due


def log_out(line: Line) -> Steps[None]:
    """The user logs out: wait for a registration in progress, then remove the binding at the working server."""
    with (yield from line.lock.acquire()):
        line.out = True
        line.renew_at = line.due = NEVER
        yield from register(line, line.working, expires=0)
