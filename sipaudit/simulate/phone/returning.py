"""Failback to the primary by REGISTER: when it is due, and its outcome (B2 to B6, F11)."""

from __future__ import annotations

from sipaudit.simulate.clock import NEVER, Steps
from sipaudit.simulate.phone.line import HEAD, Line
from sipaudit.simulate.phone.registering import keep_time, register

TOO_OFTEN = 5
SURELY_UP = 4.0   # seconds
IDLE_CHECK = 1.0  # seconds: by the EA, a busy phone checks again every second (B5)


def try_at(line: Line) -> float:
    """When a try by REGISTER is due, NEVER if there is none; R0 and R1 try with a call instead (B5)."""
    if not line.invalidates or not (line.mode in ("duration", "DNSTTL") or line.hasty):
        return NEVER
    return NEVER if line.wrong("failback-without-registration") else line.due


def come_home(line: Line) -> Steps[None]:
    """Make a due try at the primary, once the phone is idle (B5, B6)."""
    phone = line.phone
    during = False
    if phone.up:
        during = line.wrong("failback-during-call") and _talks_on(line)
        if not during:
            yield IDLE_CHECK
            return
    with (yield from line.lock.acquire()):
        if line.away and try_at(line) <= phone.clock.now:
            if during and _talks_on(line):
                line.commit("failback-during-call")
            yield from try_primary(line)


def try_primary(line: Line) -> Steps[bool]:
    """Try the primary by REGISTER; the caller holds the lock. After a failed try the line stays where it is (F11)."""
    yield from line.phone.resolve()   # now, so that a deviation during the try comes after its REGISTER
    _commit_by_trying(line)
    answer = yield from register(line, HEAD)
    if answer.ok:
        line.returned()
        keep_time(line)
        return True
    line.try_failed()
    if line.working != HEAD and line.working not in line.bindings:
        yield from register(line, line.working)
    return False


def _commit_by_trying(line: Line) -> None:
    """Commit or start the deviations that this try shows."""
    now = line.phone.clock.now
    line.commit_haste()
    line.tries = [*(time for time in line.tries if time > now - line.delay), now]
    often = line.wrong("failback-retried-too-often") and len(line.tries) >= TOO_OFTEN
    if often and line.phone.idle_for() > now - line.tries[-TOO_OFTEN]:
        line.commit("failback-retried-too-often", slack=2.0)
    if line.wrong("secondary-abandoned") and line.live(line.working):
        line.phone.do(_abandon(line, line.working))


def _abandon(line: Line, index: int) -> Steps[None]:
    """Deviation: remove the binding at the working server while the primary is being tried."""
    yield 0.001
    line.commit("secondary-abandoned")
    line.bindings.pop(index, None)
    yield from register(line, index, expires=0)


def _talks_on(line: Line) -> bool:
    """Whether the phone surely has a call that will still send messages through the line's working server."""
    now = line.phone.clock.now
    return any(talk.since < now - SURELY_UP and talk.until > now + SURELY_UP and talk.index == line.working
               for talk in line.phone.talks.values())
