"""Conditions of B1: whether a new call tried the primary first, and what excuses it."""

from __future__ import annotations

from math import inf

from sipaudit.model.case import FAILS, HOLDS, Case, Ground, holds_if
from sipaudit.model.conditions.busy import waits_for
from sipaudit.model.conditions.failures import diverted, has_returned, retry_after
from sipaudit.model.conditions.servers import primary_key
from sipaudit.model.conditions.trust import no_boot_since, served_after
from sipaudit.model.conditions.unseen import lacking
from sipaudit.model.conditions.whereabouts import in_mid_life
from sipaudit.model.events import Failed, FailureKind, Sent
from sipaudit.model.packets import SAME_NUMBER, goes_on_here, redirects, same_call, waits_for_call
from sipaudit.model.reach import LONG_AGO, Reach, evidence, repeated_until, unanswered
from sipaudit.model.settings import Regime
from sipaudit.model.state import Stay
from sipaudit.model.timers import RETRY_AFTER, SILENCE_MAX, first_interval
from sipaudit.model.values import Reason

CONTACT_FOR_IT = 32.0   # seconds within which a contact with the primary counts as made for the request (B1)
LAST_SYN = 64.0         # seconds from the first SYN to the last, at the most that is usual (Linux, tcp_syn_retries 6)
RST_COMES = 0.5         # seconds from a SYN to the RST that refuses it, at the most; an unanswered SYN takes longer
SYN_SLACK = 2.0         # seconds by which the wait after the last SYN may exceed all before it
TRIES = frozenset({"INVITE", "REGISTER"})   # requests for which a phone waits before it takes a call elsewhere


def primary_untried(case: Case) -> Ground:
    """B1: the phone has not tried the primary for this request: no contact with it in the last 32 s, and no try of this
    call there."""
    primary = primary_key(case)
    if primary is None:
        return HOLDS  # the primary is not known, as `below_primary` says
    reach, request = case.phone.reach(primary), case.request
    if case.now - _contacted(reach) <= CONTACT_FOR_IT or diverted(case):
        return FAILS
    if any(_waits_for_connection(failure, reach, case.now) for failure in reach.hard):
        return FAILS
    stay = case.stay
    if waits_for_call(reach, request, stay) or any(
            one.server == primary and goes_on_here(one, request, stay) for one in stay.tries):
        return FAILS
    if case.stay.server in (primary, "") and _known_bad(case, primary):
        return FAILS  # the line moves because of what another line of the phone has learned (F1)
    if reach.is_nowhere:
        return FAILS  # its name does not resolve
    untried = _no_try_open(case, reach)
    if untried is not HOLDS:
        return untried
    if retry_after(case, primary):
        return Ground(reason=Reason.RETRY_AFTER)
    unseen = answered_unseen(case, reach)
    if unseen is not None:
        return Ground(reason=lacking(case, unseen))
    return Ground(facts={"working": case.stay.server} if case.stay.server else {}, elsewhere=(primary,))


def _no_try_open(case: Case, reach: Reach) -> Ground:
    """No try of the phone there waits for its answer, or has just run out; how long that may take (F2) is not known if
    the settings are not."""
    tries = [one.time for one in reach.waiting
             if one.method in TRIES and not one.in_dialog and not _was_given_up(case, reach, one)]
    if not tries:
        return HOLDS
    waited, waits = case.now - max(tries), waits_for(case)
    if waits == inf and waited > SILENCE_MAX:
        return Ground(reason=Reason.SETTINGS_UNKNOWN)
    return holds_if(waited > waits)


def _was_given_up(case: Case, reach: Reach, request: Sent) -> bool:
    """Whether the line has left the server for its working one because this request failed there (F1), or has waited
    for this one longer than for those that failed then."""
    stay, turned = case.stay, case.stay.first
    if _went_on(case, reach, request):
        return True
    if turned is None or stay.origin != reach.server or stay.unsure or request.line != case.event.line:
        return False
    if any(isinstance(one, Failed) and one.time >= request.time and one.transaction in (None, request.transaction)
           for one in stay.failed):
        return True
    waits = [turned.time - one.time for one in stay.failed if isinstance(one, Sent) and _turned_with(turned, one, stay)
             and (one.line, one.method) == (request.line, request.method)]
    return request in stay.failed and case.now - request.time > max(waits, default=inf)


def _went_on(case: Case, reach: Reach, request: Sent) -> bool:
    """Whether the line took a call that failed there on to its working server, which has not failed (F11)."""
    stay, line = case.stay, case.event.line
    return request.call_id != "" and request.call_id in stay.called and request.line == line \
        and stay.server != reach.server and not any(
            evidence(case.phone.reach(stay.server), case.now, case.profile.earliest_silence))


def answered_unseen(case: Case, reach: Reach) -> Sent | None:
    """A request there whose answer the capture may lack: a 503 may have asked not to use the server for a time that
    still runs (F3). Requests that failed had no answer."""
    lost = case.phone.lost if case.profile.connected else case.now   # over a connection gaps are visible
    lately = (one for one in unanswered(reach) if case.now - one.time <= RETRY_AFTER and not one.in_dialog
              and lost is not None and lost >= one.time)
    return next((one for one in lately if not _was_in_vain(case, reach, one)), None)


def _was_in_vain(case: Case, reach: Reach, request: Sent) -> bool:
    """Whether the server was silent to this request, as the phone shows: it retransmitted until it could give up (F2),
    its connection failed, or the line moved after it had waited that long."""
    silent, stay = case.profile.earliest_silence, case.stay
    lasted = repeated_until(reach, request) - request.time
    broke = 0 <= reach.broke - request.time <= SILENCE_MAX
    if broke or lasted > max(0.0, (silent - first_interval(case.profile.settings)) / 2):
        return True
    turned = stay.first
    if turned is None or stay.origin != reach.server:
        return False
    return request.time <= turned.time and any(
        isinstance(item, Sent) and silent <= turned.time - item.time <= waits_for(case)
        and _turned_with(turned, item, stay) for item in stay.failed)


def _turned_with(turned: Sent, failed: Sent, stay: Stay) -> bool:
    """Whether the line may have turned away because of `failed`: not with another call, after an answer to it."""
    if failed.method == turned.method == "INVITE":
        return same_call(turned, failed) or failed.call_id in stay.called
    return turned.method == "REGISTER"


def _contacted(reach: Reach) -> float:
    """When the phone last contacted the server, as its requests show, or the answer to one that the capture lacks."""
    answers = [one.time for one in (reach.answered, *reach.doubtful) if one is not None and one.sent is None]
    return max([reach.touched, reach.broke, *answers])


def _waits_for_connection(failure: Failed, reach: Reach, now: float) -> bool:
    """Whether the phone may have waited for the answer to its SYN until now: the intervals double, so that the last is
    as long as all before it. F2 states no latest time for this. After a RST nothing is waited for."""
    asked, waits = reach.touched - failure.sent, failure.time - failure.sent > RST_COMES
    return (waits and failure.kind is FailureKind.REFUSED and 0 <= asked <= LAST_SYN
            and now <= reach.touched + asked + SYN_SLACK)


def _known_bad(case: Case, primary: str) -> bool:
    silent = case.profile.earliest_silence
    return any(not redirects(item) for item in evidence(case.phone.reach(primary), case.now, silent))


def story_is_whole(case: Case) -> Ground:
    """B1, F3: the capture shows a contact with the primary and the line was not registered before the capture began; or
    the capture has run for so long that no earlier contact, Retry-After or ringing call counts any more."""
    primary = primary_key(case)
    if primary is None or case.now - case.profile.covered_from >= RETRY_AFTER:
        return HOLDS
    unknown = case.phone.reach(primary).touched == LONG_AGO or in_mid_life(case)
    return Ground(reason=Reason.STARTED_LATER) if unknown else HOLDS


def no_boot_unserved_there(case: Case) -> Ground:
    """B1: no boot explains why the primary was passed over: there was none, or the primary has served the line since.
    As the advisory puts it, after a boot the primary is first only where the line is registered with it
    (reference-model.md 1, *primary*)."""
    boot, primary = case.line.boot, primary_key(case)
    if boot is not None and primary is not None and served_after(case, primary, boot.time):
        return HOLDS
    return no_boot_since(case)


def not_the_optimized_one(case: Case) -> Ground:
    """F13: the request is not the first new one after a failover, which may go to the last challenger under
    authOptimizedInFailover."""
    optimized = 1 if case.regime is not Regime.R0 else case.profile.settings.number("authOptimizedInFailover")  # C4
    if optimized == 0 or _opened_before(case):
        return HOLDS
    if case.stay.first is None:
        return Ground(reason=Reason.STARTED_LATER)
    return FAILS if optimized else Ground(reason=Reason.SETTINGS_UNKNOWN)


def _opened_before(case: Case) -> bool:
    """Whether this is not the first new request since a failover. If the move was not seen, the first request of the
    capture may be the one that the failover diverted."""
    stay = case.stay
    if stay.first is not None:
        return stay.opened is not None or has_returned(case)
    if stay.server == primary_key(case):
        return True  # no failover is outstanding
    return stay.opened is not None and stay.opened > case.profile.covered_from + SAME_NUMBER
