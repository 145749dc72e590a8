"""Conditions on renewals: whether a REGISTER refreshes a binding, is due, or is one too many (F5, F7, B3)."""

from __future__ import annotations

from sipaudit.model.case import FAILS, HOLDS, Case, Ground
from sipaudit.model.conditions.failures import after_a_failure
from sipaudit.model.conditions.servers import lower_server
from sipaudit.model.conditions.unseen import lacking, left_open
from sipaudit.model.conditions.whereabouts import in_mid_life, older_binding_may_live
from sipaudit.model.events import Answered, Sent
from sipaudit.model.observations import Fact
from sipaudit.model.packets import grants_nothing
from sipaudit.model.profile import Vendor
from sipaudit.model.proofs import WORKS_WITHIN
from sipaudit.model.settings import Origin, Regime
from sipaudit.model.state import Binding
from sipaudit.model.timers import SILENCE_MAX, first_renewal, latest_silence, renewal
from sipaudit.model.values import Reason

SAME_CALL = 5.0       # seconds after a 200 within which an INVITE repeats the one that failed
DUE_SHARE = 0.1       # share of the expiry, before and after the renewal time, in which a REGISTER counts as due


def refreshes_nothing(case: Case) -> Ground:
    """F7: the request is no refresh. A REGISTER at a server where the line holds a live binding refreshes it, and moves
    nothing; whether an expired binding is being renewed late or made anew, nothing shows."""
    if case.request.method != "REGISTER":
        return HOLDS
    if _diverted_refresh(case):
        return Ground(reason=Reason.READINGS_DIFFER)
    binding = case.line.binding(case.request.server)
    if _may_hold_unseen(case, binding):
        return Ground(reason=Reason.STARTED_LATER)
    if binding is None:
        return HOLDS
    unseen = left_open(case, binding)
    if unseen and binding.granted is None:
        return Ground(reason=lacking(case, unseen[0]))
    if binding.granted is None:  # never granted, or ended there and requested again
        made_anew = _asked_in_vain(case, binding) or _is_empty(binding)
        return HOLDS if made_anew else Ground(reason=Reason.READINGS_DIFFER)
    if binding.left is not None and case.regime in (Regime.R2, Regime.R3) and not _left_by_failback(case):
        return HOLDS  # F8: a binding that a failover invalidated is not refreshed
    renews = binding.until > case.now or binding.register is not None
    if renews:
        return HOLDS if _moves_by_it(case, binding) else FAILS
    return HOLDS if _is_made_anew(case, binding) else Ground(reason=Reason.READINGS_DIFFER)


def _is_empty(binding: Binding) -> bool:
    """Whether there is no registration there because a boot was seen (reference-model.md 1, *boot*)."""
    return binding == Binding(binding.server)


def _is_made_anew(case: Case, binding: Binding) -> bool:
    """Whether the line abandoned the binding that expired there (F7): it had left that server before, registered
    elsewhere afterwards, and did not renew this one, so this is not a late renewal. If the line worked there after the
    expiry, renewals may have gone unseen."""
    away = case.stay.arrived.time if binding.left is None else min(binding.left, case.stay.arrived.time)
    return away <= binding.until and any(
        one.server != binding.server and one.granted is not None and one.granted.request_time > binding.until
        and case.now - one.granted.time > WORKS_WITHIN for one in case.line.bindings)


def _moves_by_it(case: Case, binding: Binding) -> bool:
    """Whether the line goes there because its server has failed (F1), since its binding there is not due for renewal,
    not even at its pace so far; in R0 a refresh may be diverted there (F5)."""
    due = renewal_is_near(case, binding) or case.now >= binding.due - _slack(case, binding.expires)
    awaited = binding.register is not None or due
    return case.regime is not Regime.R0 and not awaited and after_a_failure(case) is not FAILS


def _asked_in_vain(case: Case, binding: Binding) -> bool:
    """Whether the server has granted no request for a binding. A phone may hold on to a binding that a 200 has ended,
    and keep renewing it in R0 and R1 (F6, F7)."""
    ended = binding.removed is not None and binding.removed.asked != 0
    if ended and case.regime in (Regime.R0, Regime.R1):
        return False
    return binding.register is not None or binding.refused is not None


def _left_by_failback(case: Case) -> bool:
    """Whether the line came up from that server without a failure: a failback invalidates nothing (F8)."""
    return case.stay.origin == case.request.server and not case.stay.failed and lower_server(case) is HOLDS


def _may_hold_unseen(case: Case, binding: Binding | None) -> bool:
    """Whether the line may have a binding there from before the capture, which R0 and R1 keep when they leave (F7)."""
    seen = binding is not None and (binding.granted is not None or binding.removed is not None)
    return not seen and case.regime in (Regime.R0, Regime.R1) and older_binding_may_live(case) \
        and in_mid_life(case)


def _diverted_refresh(case: Case) -> bool:
    """Whether R0's refresh has just failed at another server, neither this nor the working one: then this REGISTER may
    be its diversion (F5), wherever calls go."""
    reaches = [reach for reach in case.phone.reaches if reach.server not in (case.stay.server, case.request.server)]
    failing: list[Sent | Answered] = [item for reach in reaches for item in reach.waiting]
    failing += [item for reach in reaches for item in reach.doubtful]
    return case.regime is Regime.R0 and any(
        item.line == case.event.line and item.method == "REGISTER"
        and case.now - item.time <= WORKS_WITHIN for item in failing)


def registers_at_one(case: Case) -> Ground:
    """F1: the line does not register with several servers at once, which would keep a binding at each. Only its
    settings tell, and for phones of other makers only a setting that is given, not one that is left out."""
    concurrent = case.profile.settings.get("concurrentRegistration")
    modelled = case.profile.vendor is not Vendor.UNMODELLED
    known = concurrent.origin is Origin.EXPLICIT or (modelled and case.profile.settings.declared)
    binding = case.line.binding(case.request.server)
    held = binding is not None and binding.granted is not None and binding.until > case.now
    if held and binding is not None and binding.since is not None \
            and abs(binding.since.time - case.stay.arrived.time) <= WORKS_WITHIN:
        return Ground(reason=Reason.READINGS_DIFFER)  # it registered with both at once, and may work with either
    if known or not (held or case.request.method == "REGISTER"):
        return HOLDS
    return Ground(reason=Reason.SETTINGS_UNKNOWN if modelled else Reason.VENDOR_UNMODELLED)


def not_turned_away(case: Case) -> Ground:
    """The working server did not end the line's registration, for instance by granting an expiry of 0. A 200 that does
    not list the line's own Contact may mean the same (F6)."""
    binding, arrived = case.line.binding(case.stay.server), case.stay.arrived
    if arrived.method == "REGISTER" and arrived.own is not True and case.stay.opened is None:
        return Ground(reason=Reason.READINGS_DIFFER)  # it may never have come here
    if binding is None or (binding.granted is not None and binding.granted.own is True):
        return HOLDS
    if binding.granted is None:
        return FAILS
    # an answer that the capture lacks may have moved it elsewhere since
    turned = case.now if case.stay.away is None else case.stay.away.time
    soon = turned - binding.granted.time <= WORKS_WITHIN
    return Ground(reason=Reason.READINGS_DIFFER) if soon or _looks_on(case, binding.granted) else HOLDS


def _looks_on(case: Case, granted: Answered) -> bool:
    """Whether the line may still be looking for a server that registers it. A call through this one since then
    disproves that where no call is sent before registration (F6)."""
    calls = case.regime is not Regime.R0 and case.line.served_since(case.stay.server, granted.time)
    return case.request.method == "REGISTER" and granted.own is False and not calls


def renewal_is_near(case: Case, binding: Binding) -> bool:
    """Whether the binding's renewal is due about now, on any firmware: at half its life, or from a tenth of it before
    the renewal to its end."""
    assert binding.granted is not None
    age, expires = case.now - binding.granted.time, binding.expires
    due, slack = renewal(expires, case.profile.settings), _slack(case, expires)
    return age >= due - slack or abs(age - expires / 2) <= slack


def renewal_may_have_come(case: Case, binding: Binding, at: float) -> bool:
    """Whether the binding's renewal may have been due by then, on any firmware: a phone that could not register then
    tries again later."""
    assert binding.granted is not None
    return is_renewed_after(case, binding, at - binding.granted.time)


def is_renewed_after(case: Case, binding: Binding, seconds: float) -> bool:
    """Whether, on any firmware, a phone may renew the binding there that many seconds after it was granted."""
    first = first_renewal(binding.expires, case.profile.settings)
    return seconds >= first - _slack(case, binding.expires)


def _slack(case: Case, expires: float) -> float:
    """Seconds by which a renewal may come sooner, or later, than calculated."""
    return max(DUE_SHARE * expires, case.profile.tolerances.timer)


def registered_just_now(case: Case) -> Ground:
    """F5: the same INVITE went unanswered at another server, the line then registered here, and now repeats the
    INVITE."""
    binding = case.line.binding(case.request.server)
    if binding is None or binding.granted is None or case.now - binding.granted.time > SAME_CALL:
        return FAILS
    granted = binding.granted
    began = _registering_since(case, granted)
    invite = _unanswered_twin(case, began)
    if invite is None or binding.since is not granted or _register_was_due(case, began):
        return FAILS
    first, here = case.stay.first, case.stay.server == case.request.server
    if here and first is not None and first.server == case.request.server and invite.time < first.time < began:
        return FAILS  # the line had come here before that REGISTER
    facts: dict[str, Fact] = {"silent": began - invite.time, "working": invite.server, "elapsed": case.now - began}
    # bindings and refusals from before the capture may have made a REGISTER due, here or elsewhere
    unseen = Reason.STARTED_LATER if in_mid_life(case) else None
    register = _first_register(case, granted)
    shown = (invite, granted) if register is None else (invite, register, granted)
    return Ground(reason=unseen, facts=facts, proof=shown)


def _registering_since(case: Case, granted: Answered) -> float:
    """When the first REGISTER of a registration was sent, even if that was challenged."""
    register = _first_register(case, granted)
    return granted.request_time if register is None else register.time


def _first_register(case: Case, granted: Answered) -> Sent | None:
    """The REGISTER with which the line turned to the server that granted this, if the grant ended a move."""
    first = case.stay.first
    moved = case.stay.arrived is granted and first is not None and first.server == granted.server
    return first if moved and first is not None and first.method == "REGISTER" else None


def _unanswered_twin(case: Case, before: float) -> Sent | None:
    """The INVITE of the same call that another server has not answered, given up not long before that time (F2)."""
    request, profile = case.request, case.profile
    since = before - (latest_silence(profile.settings) or SILENCE_MAX) - profile.tolerances.timer
    return next((
        one for reach in case.phone.reaches if reach.server != request.server for one in reach.waiting
        if one.method == "INVITE" and one.line == request.line and since <= one.time <= before
        and one.target == request.target and one.target != ""
    ), None)


def _register_was_due(case: Case, began: float) -> bool:
    """Whether the line had another reason to register: a REGISTER unanswered (until then, if its answer was late),
    challenged or refused, or a renewal due."""
    if any(binding.register is not None for binding in case.line.bindings) or _gave_up_register(case, began):
        return True
    others = [binding for binding in case.line.bindings if binding.server != case.request.server]
    return not others or any(
        binding.granted is None or binding.refused is not None or renewal_is_near(case, binding)
        for binding in others) or refused_just_now(case)


def _gave_up_register(case: Case, by: float) -> bool:
    """Whether a REGISTER of the line elsewhere may have run out by then, although it was answered later (F2)."""
    return any(one.method == "REGISTER" and one.line == case.event.line and one.time < by <= until
               for reach in case.phone.reaches if reach.server != case.request.server for one, until in reach.late)


def refused_just_now(case: Case) -> bool:
    """Whether a server has just answered a REGISTER of the line with a 200 that may have registered nothing (F6)."""
    return any(binding.granted is not None and grants_nothing(binding.granted)
               and case.now - binding.granted.time <= WORKS_WITHIN for binding in case.line.bindings)
