"""Conditions on calls, on tries and on series: B4, B5, F11, F13."""

from __future__ import annotations

from sipaudit.model.case import FAILS, HOLDS, Case, Ground, holds_if
from sipaudit.model.events import Failed, Sent
from sipaudit.model.observations import Awaited, Proof
from sipaudit.model.settings import Mode, Regime
from sipaudit.model.state import evidence
from sipaudit.model.timers import earliest_silence
from sipaudit.model.values import Reason

TRY_LASTS = 32.0        # seconds after which a try without answer has failed (64*T1)
TOO_OFTEN = 5           # failed tries within one D
OPEN_ELSEWHERE = 5.0    # seconds in which a log-out removes the line's other bindings, too
FLAPPING_WITHIN = 600.0
FLAPPING_MOVES = 3


# -- B5 --------------------------------------------------------------------------------------------------------------

def call_is_up(case: Case) -> Ground:
    """B5: a call of the phone has been up for longer than the tolerance; that it was up still, its next message shows.
    A call through a server that this line had left counts as perhaps ended."""
    left = {case.stay.origin, *(binding.server for binding in case.line.bindings if binding.left is not None)}
    up = [call for call in case.phone.calls if call.up is not None
          and call.up < case.now - case.profile.tolerances.idle_retry and call.server not in left]
    if not up:
        return Ground(reason=Reason.BUSY_UNPROVEN) if case.phone.calls else FAILS
    since = min(call.up for call in up if call.up is not None)
    return Ground(reason=Reason.BUSY_UNPROVEN, facts={"call_up": case.now - since, "calls": len(up)},
                  awaited=Awaited(Proof.CALL, since=case.now, calls=tuple(sorted(call.number for call in up))))


# -- F11 -------------------------------------------------------------------------------------------------------------

def try_is_open(case: Case) -> Ground:
    """F11: a try at another server has begun and has no final answer yet."""
    stay = case.stay
    if not stay.tries or stay.tries[-1].server == case.request.server:
        return FAILS
    last = stay.tries[-1]
    open_ = any(one.transaction == last.transaction for one in case.phone.reach(last.server).waiting)
    if not open_ or case.now - last.time > TRY_LASTS:
        return FAILS
    return Ground(facts={"elapsed": case.now - last.time, "kind": "removed"}, proof=(last,))


def registers_on(case: Case) -> Ground:
    """The line goes on registering, which shows that its user had not logged it out."""
    return Ground(reason=Reason.CAPTURE_ENDED, awaited=Awaited(
        Proof.REGISTERS, since=case.now, until=case.now + OPEN_ELSEWHERE, server=case.request.server))


def after_a_failed_try(case: Case) -> Ground:
    """F11: the last try failed, and the working server has not served the line since."""
    stay, served = case.stay, case.line.served
    if not stay.tries:
        return FAILS
    last = stay.tries[-1]
    if served is not None and served.server == stay.server and (served.sent or served.time) > last.time:
        return FAILS
    silent = earliest_silence(case.profile.settings)
    failed = any(evidence(case.phone.reach(last.server), case.now, silent))
    return Ground(facts={"kind": "passed", "working": stay.server}, proof=(last,)) if failed else FAILS


def no_try_before(case: Case) -> Ground:
    """A request below the working server after a failed try is F11's, not F1's."""
    return FAILS if after_a_failed_try(case) is not FAILS else HOLDS


# -- B4: again and again ---------------------------------------------------------------------------------------------

def fifth_failed_try(case: Case) -> Ground:
    """B4, B5: the fifth try by REGISTER within one D, and no call that would make the phone ask each second."""
    request, stay = case.request, case.stay
    before = [one for one in stay.tries if one.method == "REGISTER" and one.server == request.server]
    before = before[-TOO_OFTEN + 1:]
    if request.method != "REGISTER" or len(before) < TOO_OFTEN - 1:
        return FAILS
    first = before[0].time
    if case.phone.calls or case.phone.quiet >= first - case.profile.tolerances.idle_retry:
        return FAILS
    within = _longest_delay(case)
    if isinstance(within, Reason):
        return Ground(reason=within)
    if case.now - first > within:
        return FAILS
    return Ground(facts={"count": TOO_OFTEN, "elapsed": case.now - first, "earliest": within}, proof=tuple(before))


def _longest_delay(case: Case) -> float | Reason:
    if case.mode is Mode.DURATION:
        timeout = case.profile.settings.failback_timeout
        return Reason.SETTINGS_UNKNOWN if timeout is None else float(timeout)
    entry = case.profile.entry
    ttls = [answer.ttl_high for answer in case.line.answers]
    if entry is not None and entry.dns_ttl is not None:
        ttls.append(float(entry.dns_ttl))
    return max(ttls) if ttls and min(ttls) > 0 else Reason.TTL_UNKNOWN


def try_fails(case: Case) -> Ground:
    """The try has no success, which only its answer or 32 s show."""
    return Ground(reason=Reason.CAPTURE_ENDED, awaited=Awaited(
        Proof.REFUSED, case.request.transaction, until=case.now + TRY_LASTS, server=case.request.server))


def moved_often(case: Case) -> Ground:
    """Three moves of the line within ten minutes. A move after a failure has the servers as its cause, a return in mode
    newRequests the mode."""
    moves = case.stay.moves
    if len(moves) < FLAPPING_MOVES or moves[-1].time - moves[-FLAPPING_MOVES].time > FLAPPING_WITHIN:
        return FAILS
    kind = "mode" if case.mode is Mode.NEW_REQUESTS and not case.stay.failed else "servers"
    return Ground(facts={"count": FLAPPING_MOVES, "kind": kind,
                         "elapsed": moves[-1].time - moves[-FLAPPING_MOVES].time}, proof=moves[-FLAPPING_MOVES:-1])


# -- F13 -------------------------------------------------------------------------------------------------------------

def challenged_elsewhere(case: Case) -> Ground:
    """F13: the credentials for one server's challenge go to another, and nothing speaks against the challenger."""
    request = case.request
    challenge = next((one for one in case.line.challenges if one.transaction == request.follows), None)
    if challenge is None or challenge.server == request.server:
        return FAILS
    reach = case.phone.reach(challenge.server)
    if reach.hard or reach.doubtful or reach.closed >= challenge.time or any(
        isinstance(item, Sent | Failed) for item in evidence(reach, case.now, earliest_silence(case.profile.settings))
    ):
        return FAILS
    return Ground(facts={"challenger": challenge.server, "status": challenge.status}, proof=(challenge,))


def credentials_bound(case: Case) -> Ground:
    """F13 binds R1-3, and R0 where authOptimizedInFailover is set."""
    if case.regime is not Regime.R0:
        return HOLDS
    optimized = case.profile.settings.number("authOptimizedInFailover")
    return Ground(reason=Reason.SETTINGS_UNKNOWN) if optimized is None else holds_if(optimized == 1)
