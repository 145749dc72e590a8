"""Conditions on failures: the evidence against a server (F2-F4), and the signs that it works."""

from __future__ import annotations

from msgspec.structs import replace

from sipaudit.model.case import FAILS, HOLDS, Case, Ground
from sipaudit.model.conditions.trust import clock_was_set, fastest_answer, no_failure_lost, ran_out_unrenewed
from sipaudit.model.conditions.whereabouts import in_mid_life
from sipaudit.model.events import Failed, Sent
from sipaudit.model.observations import Awaited, Sign
from sipaudit.model.packets import AT_ONCE, goes_on_here, redirects, waits_for_call
from sipaudit.model.profile import Vendor
from sipaudit.model.proofs import WORKS_WITHIN
from sipaudit.model.reach import LONG_AGO, REQUEST_LASTS, Evidence, Reach, evidence, repeated_until, speaks_against
from sipaudit.model.readings import ALWAYS, NEVER, Reading, negate, taken
from sipaudit.model.settings import Regime
from sipaudit.model.timers import RETRY_AFTER, SILENCE_MAX, SLACK_MIN, T1, T2_FIELD, UNDECLARED_EARLIEST, first_interval
from sipaudit.model.values import Reason

RETRANSMIT_FROM = 0.3   # seconds after a sending: anything sooner is a mirror's copy, not a retransmission (T1 0.5)
CONTACT_WAIT = SILENCE_MAX   # seconds after a request ran out in which the line must have turned elsewhere
RETRY_WAIT = 60.0       # seconds that a phone may wait before it registers anew


def standing(case: Case) -> tuple[Evidence, ...]:
    """The evidence that now stands against the working server."""
    return tuple(evidence(_heard(case, case.stay.server), case.now, case.profile.earliest_silence))


def _heard(case: Case, server: str) -> Reach:
    """The phone's `Reach` of a server, without refusals of other lines after which the server has served this one."""
    reach = case.phone.reach(server)
    kept = tuple(one for one in reach.doubtful if one.line == case.event.line or one.method != "REGISTER"
                 or one.status == 503 or not case.line.served_since(server, one.time))
    return reach if len(kept) == len(reach.doubtful) else replace(reach, doubtful=kept)


def after_a_failure(case: Case) -> Ground:
    """F2-F4: the working server has failed for this phone, so the line is moving."""
    against = tuple(item for item in standing(case) if not redirects(item))
    holds = NEVER
    for item in against:
        holds |= sends_away(item, case)
    if holds == NEVER:
        return FAILS
    since = min(item.time for item in against)
    return Ground(holds, facts={"silent": case.now - since, "working": case.stay.server}, proof=against[:3])


def sends_away(item: Evidence, case: Case) -> int:
    """The worlds in which this evidence makes a line move on; after a 503 every firmware may (F3), but not surely if it
    belongs to a dialog."""
    if isinstance(item, Failed):
        return ALWAYS
    if isinstance(item, Sent):
        return _silence(item, case.phone.reach(item.server))
    if item.in_dialog:
        return taken(Reading.OPEN_CODE)
    if item.status == 503:
        stays = case.profile.settings.number("failoverOn503Response") == 0
        return taken(Reading.UNAVAILABLE) if stays else ALWAYS
    return taken(Reading.OPEN_CODE)


def _silence(request: Sent, reach: Reach) -> int:
    """The worlds in which the silence after a request is a failure (F2, F4)."""
    if request.in_dialog or request.transaction in reach.ringing:
        return taken(Reading.OPEN_CODE)
    return taken(Reading.GAVE_UP) if reach.was_late(request.transaction) else ALWAYS


def working_server_alive(case: Case) -> Ground:
    """There is no evidence of failure against the working server since it last answered; otherwise going elsewhere is
    no failback. While a Retry-After of that server runs, the line may avoid it even if it has answered since (F3), and
    so reach the end of its list: it then starts over at the primary after the wait for another attempt."""
    if case.profile.unconnected:
        return Ground(reason=Reason.ONE_WAY)   # its connections may have failed unseen (F2)
    if ran_out_unrenewed(case):
        return Ground(reason=Reason.LOSS_NEARBY)
    reach = case.phone.reach(case.stay.server)
    holds = ALWAYS
    for item in standing(case):
        holds &= negate(_failure(item, reach, case.stay.arrived.time))
    if _may_run_out(case, reach):
        holds &= negate(taken(Reading.GAVE_UP))
    fresh = [request for request in reach.waiting if request.line == case.event.line and not request.in_dialog
             and request.transaction not in reach.ringing
             and case.now - request.time < case.profile.earliest_silence]
    if holds == ALWAYS and reach.later + RETRY_WAIT >= case.now:
        return Ground(reason=Reason.RETRY_AFTER)
    if holds == ALWAYS and _broke_for_this_line(case, reach):
        return Ground(reason=Reason.READINGS_DIFFER)
    doubts = no_failure_lost(case)
    if holds == NEVER or not fresh:
        return Ground(holds, assumptions=doubts)
    # a request was sent just now, and the capture may lack what showed the phone that the server had failed
    shown = None if any(_begun_unseen(case, request) for request in fresh) else waited(case, fresh[-1], None)
    return Ground(holds, Reason.LOSS_NEARBY, shown, doubts)


def _broke_for_this_line(case: Case, reach: Reach) -> bool:
    """Whether a transport failure that only others have since disproved may have brought the line to the end of its
    list: the server has not answered it out of a dialog since, and it need not share what they learn
    (reference-model.md 1, *failure*)."""
    answered, since = reach.answered, case.stay.arrived.time
    if answered is not None and answered.line == case.event.line and not answered.in_dialog:
        since = max(since, answered.time)
    return reach.broke > since and not case.line.served_since(reach.server, reach.broke)


def _may_run_out(case: Case, reach: Reach) -> bool:
    """Whether an overtaken request (a later one like it was answered) may have run out all the same."""
    least = case.profile.earliest_silence
    return any(until == request.time and least <= case.now - request.time <= REQUEST_LASTS
               for request, until in reach.late)


def waited(case: Case, request: Sent, resent: float | None) -> Awaited:
    """The sign by which the phone's next packets show whether `request` was unanswered when another was sent."""
    return Awaited(Sign.WAITED, request.transaction, (resent or request.time) + RETRANSMIT_FROM,
                   behind=fastest_answer(case))


def _failure(item: Evidence, reach: Reach, arrived: float) -> int:
    """The worlds in which this evidence means that the working server failed during the stay."""
    if isinstance(item, Sent):
        return _silence(item, reach)
    if item.time < arrived:
        return NEVER
    if isinstance(item, Failed) or redirects(item):
        return ALWAYS
    return taken(Reading.UNAVAILABLE if item.status == 503 else Reading.OPEN_CODE)


def nothing_against(case: Case) -> Ground:
    """F1: the working server has answered every request, and the line was not driven away before. Anything that could
    be a failure acquits: a request unanswered for F2's earliest, a status code of F3 or F4, a redirection, a connection
    that ended or could not be set up."""
    stay, reach = case.stay, _heard(case, case.stay.server)
    if stay.driven or speaks_against(reach, case.now, _patience(case)) or _contact_is_open(case, reach):
        return FAILS
    if _may_have_failed_before(case, reach):
        return Ground(reason=Reason.STARTED_LATER)
    young = reach.waiting[-1] if reach.waiting else None
    there, doubts = (stay.server,) if stay.server else (), no_failure_lost(case)
    if young is None:
        return Ground(facts={"working": stay.server}, assumptions=doubts, proof=(reach.answered or stay.arrived,),
                      elsewhere=there)
    if clock_was_set(case, young, ahead=False):
        return FAILS
    # a request was sent just now, and the capture may lack what showed the phone that the server had failed
    shown = None if any(_begun_unseen(case, request) for request in reach.waiting) else waited(case, young, None)
    return Ground(reason=Reason.LOSS_NEARBY, awaited=shown, assumptions=doubts, proof=(young,),
                  facts={"working": stay.server, "kind": "impatient", "silent": case.now - young.time}, elsewhere=there)


def _begun_unseen(case: Case, request: Sent) -> bool:
    """Whether a waiting request has waited long enough (F2) if the capture lacks its first sending. Then the next
    sending still comes at its time; with doubling intervals all but the first come a whole number of seconds after the
    second, and half a second more after the first (0.5, 1, 2, 2 ... summed)."""
    interval = first_interval(case.profile.settings)
    if case.now - request.time + interval < _patience(case):
        return False
    last = repeated_until(case.phone.reach(request.server), request)
    lasted, doubles = last - request.time, not case.profile.settings.number("retryTimeOut")
    following = interval if not doubles else T2_FIELD if lasted else 2 * T1
    is_second = not doubles or abs(lasted % 1.0 - T1) > T1 / 2
    return is_second and case.now - last <= following + SLACK_MIN


def _may_have_failed_before(case: Case, reach: Reach) -> bool:
    """Whether the working server may have failed before the capture began: a request from then may only now have run
    out, or its Retry-After may still run (F3); and a failure with calls stands until the server answers a call
    (reference-model.md 1, *failure*), whatever else it answers."""
    fresh = case.now - case.profile.covered_from <= RETRY_AFTER
    return (fresh or reach.called == LONG_AGO) and in_mid_life(case)


def _patience(case: Case) -> float:
    """F2's earliest; for phones of other makers it is not known how long they wait."""
    if case.profile.vendor is Vendor.UNMODELLED:
        return UNDECLARED_EARLIEST
    return case.profile.earliest_silence


def _contact_is_open(case: Case, reach: Reach) -> bool:
    """Whether the phone's last contact with the server was a connection, a lookup or a CANCEL that got no answer. A
    lookup was answered if a DNS answer came since."""
    since = case.stay.arrived.time if reach.answered is None else reach.answered.time
    resolved = bool(case.line.answers) and case.line.answers[-1].time >= reach.touched
    return not reach.waiting and reach.touched > since and not resolved


def failed_then_moved(case: Case) -> Ground:
    """F7, F8: a REGISTER that removes the binding goes to the server that the line is leaving, or has just left:
    between the first unanswered request and 32 s after T0."""
    stay, server = case.stay, case.request.server
    if stay.server == server:
        moving = after_a_failure(case)
        return _moves_soon(case) if moving is FAILS else moving
    if stay.origin != server or not stay.failed or case.now > stay.arrived.time + CONTACT_WAIT:
        return FAILS
    since = min(item.time for item in stay.failed)
    return Ground(facts={"silent": case.now - since, "working": stay.server}, proof=stay.failed[:3])


def _moves_soon(case: Case) -> Ground:
    """A request is unanswered there, though not yet for long: the beginning of a failure, if the line moves."""
    first = _first_open(case)
    if first is None:
        return FAILS
    return Ground(facts={"silent": case.now - first.time, "working": case.stay.server}, proof=(first,))


def _first_open(case: Case) -> Sent | None:
    reach = case.phone.reach(case.request.server)
    return next((one for one in reach.waiting if not one.in_dialog and one.transaction not in reach.ringing), None)


def works_on(case: Case) -> Ground:
    """F8: the line goes on working elsewhere, so its user had not logged it out: it is served there sooner than anyone
    could log it in again. An answer to the request that seemed lost shows that there was no failure."""
    first = _first_open(case)
    return Ground(reason=Reason.CAPTURE_ENDED, awaited=Awaited(
        Sign.WORKS_ON, 0 if first is None else first.transaction, since=case.now, until=case.now + WORKS_WITHIN,
        server=case.request.server))


def not_logged_out(case: Case) -> Ground:
    """F8: the line did not also remove its binding at the new server, as it does when a user logs out."""
    binding = case.line.binding(case.stay.server)
    removed = binding is None or binding.granted is None or binding.removal is not None
    return FAILS if removed else HOLDS


def served_later(case: Case) -> Ground:
    """B2-B4: the working server answers the request, so the line was not on its way to another failover."""
    request = case.request
    return Ground(reason=Reason.CAPTURE_ENDED, awaited=Awaited(
        Sign.ANSWERED, request.transaction, until=request.time + CONTACT_WAIT, server=request.server))


def diverted(case: Case) -> bool:
    """Whether the request is one that a failure of the working server diverted: at the last move, or just now."""
    stay, request = case.stay, case.request
    failed = any(isinstance(item, Sent) and goes_on_here(item, request, stay) for item in stay.failed)
    if failed or waits_for_call(case.phone.reach(stay.origin or ""), request, stay):
        return True
    return request.server != stay.server and _fails_now(case)


def _fails_now(case: Case) -> bool:
    """Whether the working server leaves this call unanswered, or has just rejected a call of the line."""
    request, here = case.request, case.phone.reach(case.stay.server)
    turned_down = any(one.method == "INVITE" and one.line == request.line and case.now - one.time <= AT_ONCE
                      for one in here.doubtful)
    return turned_down or waits_for_call(here, request, case.stay)


def retry_after(case: Case, server: str) -> bool:
    """Whether a Retry-After of that server runs, or ended too recently for the phone to have come to it again (F3)."""
    return case.phone.reach(server).later + case.profile.tolerances.overdue >= case.now


def has_returned(case: Case) -> bool:
    """Whether the line's last move was not a failover (F13 is about the first new request after one): it went up, away
    from a server that had not failed."""
    stay = case.stay
    return not stay.failed and case.profile.leads_up(stay.origin or "", stay.server)


def not_the_challenger(case: Case) -> Ground:
    """F13: the request does not rightly go to the last challenger, as the first new request after a failover may, and
    the one with which the line leaves a failed server."""
    challenger, stay = case.line.challenger, case.stay
    if challenger is None or challenger != case.request.server:
        return HOLDS
    first_since = stay.opened is None and stay.first is not None and not has_returned(case)
    optimizes = case.regime is not Regime.R0 or case.profile.settings.number("authOptimizedInFailover") != 0
    moves = optimizes and challenger != stay.server and after_a_failure(case) is not FAILS
    return FAILS if first_since or moves else HOLDS
