"""Conditions on calls, on tries and on series: B4, B5, F11, F13."""

from __future__ import annotations

from itertools import pairwise

from sipaudit.model.case import FAILS, HOLDS, Case, Ground, holds_if
from sipaudit.model.conditions.busy import open_calls, quiet_since
from sipaudit.model.conditions.primary import primary_untried
from sipaudit.model.conditions.timing import declared_ttl
from sipaudit.model.conditions.trust import no_boot_since
from sipaudit.model.conditions.whereabouts import left_servers
from sipaudit.model.events import Answered, Sent
from sipaudit.model.observations import Awaited, Sign
from sipaudit.model.proofs import LOG_OUT
from sipaudit.model.reach import LONG_AGO, Reach, evidence, speaks_against
from sipaudit.model.settings import Mode, Regime
from sipaudit.model.state import Binding, Call
from sipaudit.model.timers import FLAPPING_WITHIN, TRY_LASTS
from sipaudit.model.values import Reason

RINGS_WELL = 20.0       # seconds that a call may ring before anyone could take that for a failure (F4)
TOO_OFTEN = 5           # failed tries within one D
STAYS_WITHIN = 600.0    # seconds in which the next request shows where the line is
FLAPPING_MOVES = 3


# -- B5 --------------------------------------------------------------------------------------------------------------

def call_is_up(case: Case) -> Ground:
    """B5: a call of the phone has been up for longer than the tolerance; the call's next message shows that it still
    was. A call through a server that this line has left counts as possibly ended."""
    up = _calls_up(case)
    if not up:
        return Ground(reason=Reason.BUSY_UNPROVEN) if open_calls(case) else FAILS
    since = min(call.up for call in up if call.up is not None)
    answered = tuple(call.answered for call in up if call.answered is not None)
    return Ground(reason=Reason.BUSY_UNPROVEN, facts={"call_up": case.now - since, "calls": len(up)}, proof=answered,
                  awaited=Awaited(Sign.CALL, since=case.now, calls=tuple(sorted(call.number for call in up))))


def _calls_up(case: Case) -> list[Call]:
    left = left_servers(case)
    return [call for call in case.phone.calls if call.up is not None
            and call.up < case.now - case.profile.tolerances.idle_retry and call.server not in left]


def no_boot_in_the_call(case: Case) -> Ground:
    """B5: no boot has ended the calls. A boot ends all calls of a phone, so a phone that still sends in a call that was
    up before has not booted."""
    boot = case.line.boot
    spoken = boot is not None and all(call.up is not None and call.up < boot.time for call in _calls_up(case))
    if spoken and case.profile.may_be_two:   # one phone of a shared line talks on, and the other boots or returns
        return Ground(reason=Reason.IDENTITY_UNSURE)
    return HOLDS if spoken else no_boot_since(case)


def no_call_there(case: Case) -> Ground:
    """No other call of the phone is up at the request's server; a new INVITE or REFER there may transfer or join such a
    call."""
    request = case.request
    lives = request.method in ("INVITE", "REFER") and any(
        call.server == request.server and call.up is not None and call.number != request.call
        for call in case.phone.calls)
    return Ground(reason=Reason.READINGS_DIFFER) if lives else HOLDS


def no_dial_plan(case: Case) -> Ground:
    """F1: no dial plan explains the call. A dial plan sends calls to some numbers to another server, while the line
    stays where it is: the next dialog it opens shows whether it has left. In mode newRequests a call that did not try
    the primary belongs to B1."""
    if case.request.method != "INVITE":
        return HOLDS
    if case.mode is Mode.NEW_REQUESTS and primary_untried(case).holds:
        return FAILS
    return Ground(reason=Reason.CAPTURE_ENDED, awaited=Awaited(
        Sign.STAYS, until=case.now + STAYS_WITHIN, server=case.request.server, others=(case.stay.server,)))


# -- F11 -------------------------------------------------------------------------------------------------------------

def _last_try(case: Case) -> Sent | None:
    """The last request of the stay that went upward; if its server's place is not known, the last of all."""
    stay, entry = case.stay, case.profile.entry
    here = entry.priority(stay.server) if entry else None
    upward = [request for request in stay.tries
              if here is None or case.profile.leads_up(stay.server, request.server)]
    return upward[-1] if upward else None


def try_is_open(case: Case) -> Ground:
    """F11: a try at another server has begun and has no final answer yet."""
    stay, last = case.stay, _last_try(case)
    if last is None or last.server == case.request.server:
        return FAILS
    if speaks_against(case.phone.reach(stay.server), case.now, case.profile.earliest_silence,
                      rings=RINGS_WELL, closes=False):
        return FAILS  # it leaves a server that has failed
    if stay.away is None or stay.away.time > last.time:
        return FAILS  # the line has been back since
    if not _waits_for_answer(case, last) or case.now - last.time > TRY_LASTS:
        return FAILS
    return Ground(facts={"elapsed": case.now - last.time, "kind": "removed"}, proof=(last,))


def _waits_for_answer(case: Case, request: Sent) -> bool:
    """Whether the try still waits. A challenge is not a final answer: the re-send with credentials, which may still be
    to come, continues the try. An answer to another line is not one either."""
    reach = case.phone.reach(request.server)
    waiting = [*reach.waiting, *(one for one, until in reach.late if until > case.now)]
    challenged = any(one.transaction == request.transaction for one in case.line.challenges)
    return challenged or any(one.method == request.method and one.line == request.line and one.time >= request.time
                             for one in waiting)


def registers_on(case: Case) -> Ground:
    """F11: the line goes on registering, so its user had not logged it out: a log-out removes its other bindings,
    too."""
    if any(case.now - _removed_at(binding) <= LOG_OUT for binding in case.line.bindings
           if binding.server != case.request.server):
        return FAILS
    return Ground(reason=Reason.CAPTURE_ENDED, awaited=Awaited(
        Sign.REGISTERS, since=case.now, until=case.now + LOG_OUT, server=case.request.server,
        calls=tuple(call.number for call in case.phone.calls)))


def _removed_at(binding: Binding) -> float:
    """When the phone last asked a server to end a binding, or that was confirmed."""
    if binding.removal is not None:
        return binding.removal.time
    return binding.removed.time if binding.removed is not None and binding.removed.asked == 0 else LONG_AGO


def after_a_failed_try(case: Case) -> Ground:
    """F11: the line's last try failed, and the working server has not served the line since."""
    stay, served, last = case.stay, case.line.served, _last_try(case)
    if last is None:
        return FAILS
    if served is not None and served.server == stay.server and served.request_time > last.time:
        return FAILS
    silent = case.profile.earliest_silence
    failed = any(evidence(case.phone.reach(last.server), case.now, silent))
    return Ground(facts={"kind": "passed", "working": stay.server}, proof=(last,)) if failed else FAILS


def no_try_before(case: Case) -> Ground:
    """F1: the line has not just made a failed try; a request below the working server after one belongs to F11."""
    return FAILS if after_a_failed_try(case) is not FAILS else HOLDS


# -- B4: again and again ---------------------------------------------------------------------------------------------

def fifth_failed_try(case: Case) -> Ground:
    """B4, B5: this is the fifth try by REGISTER within one failback delay D, with no call that would make the phone try
    every second."""
    request, stay = case.request, case.stay
    before = [one for one in stay.tries if one.method == "REGISTER" and one.server == request.server]
    before = before[-TOO_OFTEN + 1:]
    if request.method != "REGISTER" or len(before) < TOO_OFTEN - 1:
        return FAILS
    first = before[0].time
    if open_calls(case) or quiet_since(case) >= first - case.profile.tolerances.idle_retry:
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
    ttls = [*(answer.ttl_high for answer in case.line.answers), *declared_ttl(case)]
    if case.line.asked:
        return Reason.TTL_UNKNOWN
    return max(ttls) if ttls and min(ttls) > 0 else Reason.TTL_UNKNOWN


def try_fails(case: Case) -> Ground:
    """B5: the try fails, which only its answer, or 32 s without one, shows (64*T1, RFC 3261 timer F)."""
    return Ground(reason=Reason.CAPTURE_ENDED, awaited=Awaited(
        Sign.REFUSED, case.request.transaction, until=case.now + TRY_LASTS, server=case.request.server))


def moved_often(case: Case) -> Ground:
    """F11: the line has moved three times within ten minutes; reported once until the line has been steady. A move
    after a failure is attributed to the servers, a return in mode newRequests to the mode."""
    moves = case.stay.moves
    if case.stay.arrived is not case.event or not _within(moves[-FLAPPING_MOVES:]):
        return FAILS
    if _within(moves[-FLAPPING_MOVES - 1:-1]):
        return FAILS
    last = moves[-FLAPPING_MOVES:]
    kind = "mode" if case.mode is Mode.NEW_REQUESTS and not case.stay.failed else "servers"
    real = _real_moves(case, last)
    return Ground(real.holds, real.reason, proof=last[:-1], facts={
        "count": FLAPPING_MOVES, "kind": kind, "elapsed": last[-1].time - last[0].time})


def _within(moves: tuple[Answered, ...]) -> bool:
    return len(moves) == FLAPPING_MOVES and moves[-1].time - moves[0].time <= FLAPPING_WITHIN


def _real_moves(case: Case, moves: tuple[Answered, ...]) -> Ground:
    """Whether each move went from one server to another of higher or lower priority."""
    entry = case.profile.entry
    if entry is None:
        return Ground(reason=Reason.ENTRY_UNKNOWN)
    ranks = [entry.priority(move.server) for move in moves]
    if None in ranks:
        return FAILS
    if any(one == other for one, other in pairwise(ranks)) or entry.primary is None:
        return Ground(reason=Reason.LOAD_BALANCED)
    return HOLDS


# -- F13 -------------------------------------------------------------------------------------------------------------

def challenged_elsewhere(case: Case) -> Ground:
    """F13: the credentials for one server's challenge go to another, and there is no evidence of failure against the
    challenger."""
    request = case.request
    challenge = case.line.challenge(request.follows)
    if challenge is None or challenge.server == request.server or request.goes_its_way:
        return FAILS
    reach = case.phone.reach(challenge.server)
    if (reach.touched > challenge.time and not _touched_by_another(reach, request.line)) or speaks_against(
            reach, case.now, case.profile.earliest_silence, rings=RINGS_WELL, closes=False):
        return FAILS
    return Ground(facts={"challenger": challenge.server, "status": challenge.status}, proof=(challenge,))


def _touched_by_another(reach: Reach, line: int) -> bool:
    """Whether the last contact with the server was another line's request, which brings no credentials there."""
    last = reach.answered
    answered = last is not None and last.sent == reach.touched and last.line != line
    return answered or any(one.time == reach.touched and one.line != line for one in reach.waiting)


def of_one_entry(case: Case) -> Ground:
    """F13: the challenger and the other server belong to one entry, and no DNS answer has reordered it since. Servers
    of equal priority share the load."""
    entry, changed = case.profile.entry, case.line.reordered
    if entry is None:
        return Ground(reason=Reason.ENTRY_UNKNOWN)
    challenge = case.line.challenge(case.request.follows)
    if challenge is None or (changed is not None and changed.time >= challenge.time):
        return FAILS
    there, here = entry.priority(challenge.server), entry.priority(case.request.server)
    if there is None or here is None:
        return FAILS
    return Ground(reason=Reason.LOAD_BALANCED) if there == here else HOLDS


def credentials_bound(case: Case) -> Ground:
    """F13 applies in R1-R3, and in R0 where authOptimizedInFailover is set."""
    if case.regime is not Regime.R0:
        return HOLDS
    optimized = case.profile.settings.number("authOptimizedInFailover")
    return Ground(reason=Reason.SETTINGS_UNKNOWN) if optimized is None else holds_if(optimized == 1)
