"""Conditions on time: when a failback must have come (B2-B5), and what a phone may still have waited for."""

from __future__ import annotations

from typing import NamedTuple

from sipaudit.model.case import FAILS, HOLDS, Case, Ground
from sipaudit.model.conditions.busy import open_calls, quiet_since
from sipaudit.model.conditions.failures import RETRY_WAIT, not_the_challenger, retry_after
from sipaudit.model.conditions.primary import CONTACT_FOR_IT, answered_unseen, not_the_optimized_one
from sipaudit.model.conditions.servers import primary_key
from sipaudit.model.conditions.timing import ends_unseen, renewals, runs_out_first, ttl_of
from sipaudit.model.conditions.trust import clock_was_set
from sipaudit.model.conditions.unseen import lacking
from sipaudit.model.conditions.whereabouts import boot_was_seen, in_mid_life, left_servers, works_below
from sipaudit.model.events import Answered, EntryChanged, Failed, Sent
from sipaudit.model.observations import Fact
from sipaudit.model.packets import MOVERS
from sipaudit.model.reach import LONG_AGO, Evidence, Reach, evidence
from sipaudit.model.readings import ALWAYS, NEVER, Reading, taken
from sipaudit.model.settings import Mode, Regime
from sipaudit.model.state import Call
from sipaudit.model.timers import LONG_RING, NO_EXPIRY, SILENCE_MAX, TRY_LASTS
from sipaudit.model.values import Assumption, Reason

DIALLING = 15.0       # seconds off-hook before an INVITE: eleven digits, and the wait for a twelfth
LONG_CALL = 3600.0    # seconds that a call may last that the capture does not show
IDLE_RULE = (Regime.R2, Regime.R3)   # B5: only the try by REGISTER waits for the phone to be idle


class Due(NamedTuple):
    """The earliest and the latest due time (seconds since the epoch), the facts behind them, the doubts, and the DNS
    answers that gave the TTL."""

    earliest: float
    latest: float
    facts: dict[str, Fact]
    doubts: tuple[Assumption, ...] = ()
    told: tuple[EntryChanged, ...] = ()


def past_due(case: Case) -> Ground:
    """B2, B4: the failback is overdue by more than the tolerance, the phone was not busy, and it has had no contact (in
    the wide sense of *contact*) with any server above since the failback may have come."""
    began, allowed = _began(case), case.profile.tolerances
    if began is None:
        return Ground(reason=Reason.STARTED_LATER)
    ghosts = [_ends_at_last(call, case) for call in open_calls(case)]
    if NO_EXPIRY in ghosts or case.now <= began[1] + allowed.overdue:
        return FAILS  # B5: a busy phone may wait; and no delay is shorter than zero
    due = _due(case, began)
    if isinstance(due, Reason):
        return Ground(reason=due)
    late = max(due.latest, _quiet(case) + allowed.idle_retry) + allowed.overdue
    if case.now <= late:
        return FAILS
    if _hangs_up(case) or any(case.now <= end + allowed.idle_retry + allowed.overdue for end in ghosts):
        return Ground(reason=Reason.BUSY_UNPROVEN)
    # a request from before T0 went to a server that was about to fail: no failback
    since = max(due.earliest - allowed.timer, began[0])
    untouched = _untouched_since(case, since, due.latest - began[1] + allowed.overdue)
    return Ground(untouched.holds, untouched.reason or _busy_unseen(case, late), assumptions=due.doubts,
                  facts={**due.facts, "due": late - began[0], "overdue": case.now - late}, proof=due.told,
                  elsewhere=_there(case))


def _there(case: Case) -> tuple[str, ...]:
    """The servers at which a try would have been seen."""
    primary = primary_key(case)
    return () if primary is None else (primary,)


def _quiet(case: Case) -> float:
    """Since when no call is up: for its phone perhaps not before its BYE is answered, which may take long."""
    answers = [reach.answered for reach in case.phone.reaches
               if reach.answered is not None and reach.answered.method == "BYE"]
    slow = [answer.time for answer in answers
            if answer.sent is not None and answer.time - answer.sent > case.profile.tolerances.idle_retry]
    return max([quiet_since(case), *slow])


def _hangs_up(case: Case) -> bool:
    """Whether a BYE of the phone is still unanswered."""
    return any(request.method == "BYE" and case.now - request.time <= SILENCE_MAX
               for reach in case.phone.reaches for request in reach.waiting)


def _began(case: Case) -> tuple[float, float] | None:
    """T0; it may have been later than the arrival if that answer need not have moved the line (F2, F6)."""
    began, proven = case.stay.began, case.stay.proven
    return began if began is None or proven is None else (began[0], proven)


def _ends_at_last(call: Call, case: Case) -> float:
    """When a call is over at the latest; infinite where nothing says that it may be. A call through a server that the
    line has left may have ended unseen: R2 ends it without signalling (F9), and an INVITE no longer rings there."""
    left = left_servers(case)
    moved = case.stay.arrived.time
    if call.server not in left or call.server == case.stay.server or call.began > moved:
        return NO_EXPIRY
    if call.up is None:
        return moved + LONG_RING
    return moved + LONG_CALL if case.regime is Regime.R2 else NO_EXPIRY


def _due(case: Case, began: tuple[float, float]) -> Due | Reason:
    """When the failback is due (B2, B4), or why that is not known."""
    if case.mode is Mode.DURATION:
        timeout = case.profile.settings.failback_timeout
        if timeout is None:
            return Reason.SETTINGS_UNKNOWN
        wait = timeout or NO_EXPIRY  # C6: 0 is never due
        return Due(began[0] + wait, began[1] + wait, {"timeout": timeout})
    ttl = ttl_of(case)
    if ttl is None:
        return Reason.TTL_UNKNOWN
    first = began[0] if ends_unseen(case, ttl) else runs_out_first(ttl, began[0])
    # a name that was looked up again since the move lives on from that answer
    last = max([began[1], *(answer.time for answer in case.line.answers)])
    doubts = () if ttl.seen else (Assumption.TTL_FROM_FAILOVER,)
    return Due(first, last + ttl.high, {"ttl": ttl.high}, doubts, ttl.told)


def _busy_unseen(case: Case, late: float) -> Reason | None:
    """B5: the reason if the phone may be busy with calls that the capture does not show; None if not."""
    if case.regime not in IDLE_RULE:
        return None  # the try is itself the start of a call
    young = late - case.profile.covered_from < LONG_CALL
    # later calls show nothing about one from before the capture, on any line: it may be on hold meanwhile
    hidden = young and (in_mid_life(case) or (case.profile.lived and not boot_was_seen(case)))
    if isinstance(case.event, Sent | Answered) and case.event.method == "INVITE":
        # the phone has been off-hook for a while before it calls
        return Reason.BUSY_UNPROVEN if hidden or case.now <= late + DIALLING else None
    return Reason.BUSY_UNPROVEN if hidden or (young and case.phone.quiet == LONG_AGO) else None


def _untouched_since(case: Case, since: float, wait: float = NO_EXPIRY) -> Ground:
    """No contact of the phone with the primary since that time. Contact with a server in between may be the try (B8);
    while a Retry-After runs no try is due (F3); and a name that does not resolve cannot be tried. For `wait` seconds
    after a failed try the next one is not overdue."""
    primary, entry = primary_key(case), case.profile.entry
    if primary is None or entry is None:
        return HOLDS  # the primary is not known, as `below_primary` says
    reach = case.phone.reach(primary)
    if reach.touched >= since or reach.is_nowhere:
        return FAILS
    if retry_after(case, primary):
        return Ground(reason=Reason.RETRY_AFTER)
    here = entry.priority(case.stay.server)
    between = (server.key for server in entry.servers if here is not None and server.priority < here)
    if any(case.phone.reach(key).touched >= since for key in between) or _failed_again(case, primary, wait) \
            or _failed_lately(case, reach):
        return Ground(reason=Reason.READINGS_DIFFER)
    unseen = answered_unseen(case, reach)
    return HOLDS if unseen is None else Ground(reason=lacking(case, unseen))


def _failed_lately(case: Case, reach: Reach) -> bool:
    """Whether the server was tried and failed within the last 32 s: a phone may leave it alone for so long (B1),
    however short the delay of the mode is."""
    lately = case.now - reach.touched <= CONTACT_FOR_IT
    return lately and any(evidence(reach, case.now, case.profile.earliest_silence))


def _failed_again(case: Case, primary: str, wait: float) -> bool:
    """Whether the primary was tried since the move, by any line for any reason, and failed: that may have restarted the
    timer, as a failed try does. What was no try of this line counts only until that timer, too, would have run out."""
    first, silent, reach = case.stay.first, case.profile.earliest_silence, case.phone.reach(primary)
    if first is None:
        return False
    return _broke_since(reach, first.time) or any(
        item.time > first.time and (_may_be_own_try(item, case, reach) or case.now <= item.time + SILENCE_MAX + wait)
        for item in evidence(reach, case.now, silent))


def _broke_since(reach: Reach, moved: float) -> bool:
    """Whether an attempt to reach the server may have failed that only `ContactKind` events show."""
    told = reach.answered is not None and reach.answered.time >= reach.broke
    return reach.broke > moved and not told and all(item.time != reach.broke for item in reach.hard)


def _may_be_own_try(item: Evidence, case: Case, reach: Reach) -> bool:
    """Whether this evidence concerns a request with which the line may have tried to return (B8); a transport failure
    may, unless it hit only requests of other lines."""
    line = case.event.line
    if not isinstance(item, Failed):
        return item.line == line and item.method in MOVERS and not item.in_dialog
    met = {one.line for one in reach.waiting if item.transaction in (None, one.transaction)}
    return not met or line in met


def renews_only_here(case: Case) -> Ground:
    """B3 (R2, R3): the working server's binding is renewed there without a try at the primary first."""
    binding, now, stay = case.line.binding(case.request.server), case.now, case.stay
    if binding is None or binding.granted is None or binding.granted.own is False or binding.until <= now:
        return FAILS
    if binding.register is not None or binding.granted.time > stay.arrived.time:
        return FAILS  # a repeated request; and only the first due time after a move is judged
    older, newer = renewals(case, binding)
    due = _renews(case, older, newer)
    granted = binding.granted
    untouched = _untouched_since(case, min(granted.request_time, now - TRY_LASTS))
    # no source says whether a call delays this try, too
    reason = untouched.reason or (Reason.READINGS_DIFFER if open_calls(case) or _returns_from_a_try(case) else None)
    return Ground(due & untouched.holds, reason, facts={
        "expires": binding.expires, "due": newer - (stay.began or (newer, 0.0))[0], "overdue": max(now - newer, 0.0),
    }, proof=(granted,), elsewhere=_there(case))


def _returns_from_a_try(case: Case) -> bool:
    """Whether this may be the REGISTER that follows a failed try of the primary, after the wait for another attempt
    (B3): a try from the stay before, which ended by the failure of a server in between."""
    primary = primary_key(case)
    if primary is None or primary == case.stay.origin:
        return False
    reach, since = case.phone.reach(primary), case.now - TRY_LASTS - RETRY_WAIT
    failed = any(item.method == "REGISTER" and item.line == case.event.line
                 for item in evidence(reach, case.now, case.profile.earliest_silence) if not isinstance(item, Failed))
    return reach.touched >= since and failed


def _renews(case: Case, older: float, newer: float) -> int:
    """The worlds in which the REGISTER is a renewal: it is sent in the window of the firmware. If sent earlier, the
    line registered for another reason."""
    soonest = case.now + case.profile.tolerances.timer
    if soonest >= newer:
        return ALWAYS
    return taken(Reading.HALF_RENEWAL) if case.profile.firmware is None and soonest >= older else NEVER


def asked_before_due(case: Case) -> Ground:
    """B2, B4: a final answer shows that the working server is alive. Answers to BYE do not count, nor do those to an
    out-of-dialog INVITE or REGISTER, where the request itself is the stronger evidence."""
    answer = case.answer
    if answer.status < 200 or answer.method == "BYE" or (
            not answer.in_dialog and answer.method in ("INVITE", "REGISTER")):
        return FAILS  # (with the answer to its BYE a call is over, at the latest)
    return Ground(facts={"kind": "no-try"})


def no_leap_ahead(case: Case) -> Ground:
    """B2, B4: no clock was set ahead since the move, which would make the elapsed time look longer."""
    first = case.stay.first
    return Ground(reason=Reason.LOSS_NEARBY) if first is not None and clock_was_set(case, first, ahead=True) else HOLDS


def still_below(case: Case) -> Ground:
    """B2-B4: the line still works below the primary. Read literally, a 2xx of the primary inside a dialog has already
    brought it back; in R2 the phone does not even accept that (F9)."""
    return works_below(case, primary_key(case))


def not_for_the_challenger(case: Case) -> Ground:
    """F13: the request is not the first new one after a failover, which may go to the last challenger; no source says
    whether it still may once the failback is due. In R2 and R3 this does not matter: what is missing is the REGISTER
    before it."""
    if case.regime in IDLE_RULE or not_the_challenger(case) is HOLDS:
        return HOLDS
    optimized = not_the_optimized_one(case)
    return Ground(reason=Reason.READINGS_DIFFER) if optimized is FAILS else optimized
