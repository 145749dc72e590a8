"""Conditions on where the line works: whether it may be elsewhere than its stay says (F5-F8), or may have been so since
before the capture."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from sipaudit.model.absorb import lived_before
from sipaudit.model.case import HOLDS, Case, Ground
from sipaudit.model.events import Answered, Failed, Sent
from sipaudit.model.packets import AT_ONCE, NOTHING_NEW, grants_nothing, is_open_code
from sipaudit.model.reach import Evidence
from sipaudit.model.readings import Reading, negate, taken
from sipaudit.model.settings import Mode, Regime
from sipaudit.model.state import Binding
from sipaudit.model.timers import DEFAULT_EXPIRES, NO_EXPIRY, SILENCE_MAX, latest_silence
from sipaudit.model.values import Reason


def stay_was_seen(case: Case) -> Ground:
    """The stay began after the last gap between captures. If it was found in progress, it is more than a refresh of a
    binding that the line keeps at a failed server (F7, B3: in R0 and R1, except for newRequests in R0)."""
    stay = case.stay
    if stay.arrived.time < case.profile.covered_from:
        return Ground(reason=Reason.STARTED_LATER)
    found = stay.first is None and stay.opened is None and stay.arrived.method == "REGISTER"
    hidden = (found and may_work_elsewhere(case, case.now)) or may_have_refreshed(case)
    return Ground(reason=Reason.STARTED_LATER) if hidden else HOLDS


def may_have_refreshed(case: Case) -> bool:
    """Whether the line may still be where it was before, because the REGISTER that seems to have brought it here only
    refreshed a binding from before the capture: without a failure of its own (F7), in R0 diverted even for one (F5)."""
    stay = case.stay
    if stay.first is None or stay.answers_calls or stay.arrived.method != "REGISTER" or not in_mid_life(case):
        return False
    young = stay.arrived.time - case.profile.covered_from < longest_expiry(case)
    own = any(item.line == case.event.line and _surely_left(case, item) for item in stay.failed)
    return young and (case.regime is Regime.R0 or (case.regime is Regime.R1 and not own))


def _surely_left(case: Case, item: Evidence) -> bool:
    """Whether the line has left its server for this, and did not merely renew a binding elsewhere meanwhile: after an
    answer, which no firmware need take for a failure (F3, F4), it goes at once; it gives up a call after 32 s at the
    latest (F2), unless that was answered late; and it does not send another REGISTER before giving up the one before
    (RFC 3261 10.2)."""
    turned = case.event.time if case.stay.first is None else case.stay.first.time
    if isinstance(item, Answered):
        return not is_open_code(item) and turned - item.time <= AT_ONCE
    if isinstance(item, Failed) or item.method == "REGISTER":
        return True
    latest = latest_silence(case.profile.settings) or SILENCE_MAX
    return turned - item.time >= latest and not case.phone.reach(item.server).was_late(item.transaction)


def may_work_elsewhere(case: Case, when: float) -> bool:
    """Whether a line that was only seen to register may then have worked with another server, to which it had moved
    before the capture began (F7, B3)."""
    return when - case.profile.covered_from < _earlier_stay(case) and not boot_was_seen(case)


def _earlier_stay(case: Case) -> float:
    """How many seconds ago a failover may lie after which the line still works elsewhere than it registers."""
    if case.regime in (Regime.R2, Regime.R3) or (case.regime is Regime.R0 and case.mode is Mode.NEW_REQUESTS):
        return 0.0
    if case.regime is Regime.R0 and case.mode is Mode.DURATION:
        return case.profile.settings.failback_timeout or inf
    return longest_expiry(case)


def longest_expiry(case: Case) -> float:
    """How long a binding made before the capture could live, in seconds."""
    asked = case.profile.settings.number("expires") or DEFAULT_EXPIRES
    seen = [binding.expires for binding in case.line.bindings if binding.expires != NO_EXPIRY]
    return max([asked, *seen])


def older_binding_may_live(case: Case) -> bool:
    """Whether a binding made before the capture may still be live."""
    return case.now - case.profile.covered_from < longest_expiry(case)


def in_mid_life(case: Case) -> bool:
    """Whether the line was already registered when the capture began, as far as its registrations show: it was not seen
    to come up at the head of its list, and one that lived would have renewed its binding before that expired."""
    if came_up(case):
        return False
    granted = [binding.since.time for binding in case.line.bindings if binding.since is not None]
    first = min([case.stay.arrived.time, *granted])
    return first - case.profile.covered_from < longest_expiry(case) and not boot_was_seen(case)


def came_up(case: Case) -> bool:
    """Whether the capture shows how the line came up, at the head of its list."""
    primary = case.profile.entry.primary if case.profile.entry else None
    began = case.line.began if case.line.began and case.line.began.time >= case.profile.covered_from else None
    return began is not None and primary is not None and began.server == primary.key and not (
        isinstance(case.event, Sent) and lived_before(case.line, case.phone, case.event))


def boot_was_seen(case: Case) -> bool:
    """Whether the phone was seen to boot, which left no binding anywhere."""
    return case.phone.started >= case.profile.covered_from


def left_servers(case: Case) -> set[str | None]:
    """The servers that the line has left, by its last move or by a failover since it last registered there."""
    return {case.stay.origin, *(binding.server for binding in case.line.bindings if binding.left is not None)}


def still_working(case: Case) -> Ground:
    """The line still works at the server of its stay. Read literally, a 2xx inside a dialog also makes another server
    the working one (not in R2, F9), and in R0 a busy or not-found answer may: the line is then not where the rows place
    it."""
    there = case.request.server
    return _not_moved_by(case, (one for one in case.stay.asides
                                if one.server == there or one.method not in NOTHING_NEW))


def left_for_nothing(case: Case) -> Ground:
    """F1: the line works at the server of its stay, or has already left it without a failure: had the REGISTER with
    which it turned to the lower server brought it there, that would be the same fault."""
    groundless = _turned_for_nothing(case)
    return _not_moved_by(case, (one for one in case.stay.asides if one not in groundless
                                and (one.server == case.request.server or one.method not in NOTHING_NEW)))


def _turned_for_nothing(case: Case) -> list[Answered]:
    """The REGISTERs answered by the request's server since the line turned to it, although it was registered with its
    own all the time: the last 200 there, which need not have registered anything (F6), is from before."""
    away, here = case.stay.away, case.line.binding(case.stay.server)
    if away is None or here is None or here.granted is None or here.granted.time > away.time \
            or grants_nothing(here.granted):
        return []
    return [one for one in case.stay.asides if one.server == case.request.server and one.method == "REGISTER"
            and one.request_time >= away.time]


def _not_moved_by(case: Case, answers: Iterable[Answered]) -> Ground:
    """Whether none of these answers has moved the line, as far as the sources tell."""
    if all(_moves_nothing(case, answer) for answer in answers):
        return HOLDS
    return Ground(negate(taken(Reading.LITERAL)))


def works_below(case: Case, higher: str | None) -> Ground:
    """Whether the line works where its stay is, and not at that higher server or above: it does in R1-R3 only where it
    is registered, and a 200 may have registered nothing (F6)."""
    here = case.line.binding(case.stay.server)
    granted = here is not None and here.granted is not None
    if case.regime is not Regime.R0 and (grants_nothing(case.stay.arrived) or not granted):
        return Ground(reason=Reason.READINGS_DIFFER)
    if here is not None and _refused_by_a_200(here):
        return Ground(reason=Reason.READINGS_DIFFER)  # even in R0 that may be the server's refusal (F4)
    if _keeps_binding(case, higher):
        return Ground(reason=Reason.READINGS_DIFFER)
    return _not_moved_by(case, (one for one in case.stay.asides
                                if one.server == higher or case.profile.leads_up(higher or "", one.server)))


def _refused_by_a_200(binding: Binding) -> bool:
    """Whether the last 200 to the line's REGISTER there may have registered nothing (F6)."""
    last = binding.granted or binding.refused
    return last is not None and grants_nothing(last)


def not_back_yet(case: Case) -> Ground:
    """F7, F8: the line works at the server of its stay, and not already at the server it tries or one above."""
    return works_below(case, case.request.server)


def _keeps_binding(case: Case, server: str | None) -> bool:
    """Whether the line holds a binding at another server that no failover has invalidated: a REGISTER there is a mere
    refresh (F7)."""
    held = case.line.binding(server or "") if case.regime in (Regime.R2, Regime.R3) else None
    return held is not None and held.left is None and held.until > case.now


def _moves_nothing(case: Case, answer: Answered) -> bool:
    """Whether this answer moves no line: in R2 a failed server's answers inside a dialog do not count (F9), and after a
    failover has invalidated the registration, the 200 to an older REGISTER does not restore it (F8)."""
    if answer.in_dialog:
        return case.regime is Regime.R2
    if answer.method in NOTHING_NEW:
        return case.regime in (Regime.R2, Regime.R3)  # only a REGISTER brings the line back (B6)
    older = answer.sent is not None and answer.sent <= case.stay.arrived.time
    return older and answer.method == "REGISTER" and case.regime in (Regime.R2, Regime.R3)
