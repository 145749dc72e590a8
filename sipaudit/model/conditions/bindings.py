"""Conditions on registrations: what the line holds at the server of the request (F6-F8, B6, B7)."""

from __future__ import annotations

from sipaudit.model.absorb_moves import only_registers
from sipaudit.model.absorb_phone import grants_nothing
from sipaudit.model.case import FAILS, HOLDS, Case, Ground
from sipaudit.model.conditions.failures import waited
from sipaudit.model.conditions.servers import higher_server, lower_server
from sipaudit.model.conditions.trust import (
    LOSS_REACH,
    boot_was_seen,
    came_up,
    clock_was_set,
    in_mid_life,
    older_binding_may_live,
)
from sipaudit.model.conditions.unseen import lacking, left_open, missed, no_move_by
from sipaudit.model.events import Answered, Sent
from sipaudit.model.observations import Fact
from sipaudit.model.profile import Vendor
from sipaudit.model.proofs import WORKS_WITHIN
from sipaudit.model.readings import ALWAYS, Reading, negate, taken
from sipaudit.model.settings import Origin, Regime
from sipaudit.model.state import Binding
from sipaudit.model.timers import DEFAULT_EXPIRES, NO_EXPIRY, SILENCE_MAX, first_renewal, latest_silence, renewal
from sipaudit.model.values import Assumption, Reason

LAPSED = 32.0         # seconds after which an ended binding counts as ended (EA; a renewal may be on its way)
SAME_CALL = 5.0       # seconds after a 200 within which an INVITE repeats the one that failed
DUE_SHARE = 0.1       # of the expiry, about the renewal: a REGISTER then is due


def no_binding_there(case: Case) -> Ground:
    """The line can hold no live binding at the server it signals to (F6)."""
    binding = case.line.binding(case.request.server)
    if binding is None:
        return _unseen_binding(case)
    lives = binding.granted is not None and binding.until > case.now
    if lives and case.regime is Regime.R1:
        return FAILS  # of an earlier stay: right in R1 (F7), told by no source in R2 and R3
    if lives or _may_work_there(case, binding):
        return Ground(reason=Reason.READINGS_DIFFER)
    held = binding.granted is not None or binding.removed is not None
    if held and case.regime is Regime.R1 and higher_server(case) is HOLDS:
        return FAILS  # F7: failback without REGISTER is right after the binding lapsed, too
    unseen = no_move_by(case, missed(binding))
    if unseen is not HOLDS:
        return unseen
    if binding.register is not None:
        return _pending_binding(case, binding, binding.register)
    return _unseen_binding(case) if binding.granted is None else _lapsed_binding(case, binding.granted)


def _may_work_there(case: Case, binding: Binding) -> bool:
    """Whether a 200 to REGISTER may have brought the line there since it arrived at its working server: then no gate is
    before it. In R1 that a binding was renewed shows nothing (F7), unless the line may have left its server then."""
    since = case.stay.arrived.time
    if any(one.server == binding.server and one.method == "REGISTER" and one.granted != 0
           for one in case.stay.asides):
        return True
    granted = binding.since if case.regime is Regime.R1 else binding.granted
    return granted is not None and granted.time > since


def _lapsed_binding(case: Case, granted: Answered) -> Ground:
    if granted.own is False:
        return Ground(reason=Reason.READINGS_DIFFER)  # how long it lived was not said (F6)
    if case.profile.lossy or clock_was_set(case, granted, ahead=True):
        return Ground(reason=Reason.LOSS_NEARBY)
    hidden = granted.time < case.profile.covered_from
    return Ground(assumptions=(Assumption.NO_EARLIER_STAY,) if hidden else (), facts={"registered": "expired"})


def _pending_binding(case: Case, binding: Binding, register: Sent) -> Ground:
    """A REGISTER is out and no final answer was seen: was there none, or did the capture miss it?"""
    unseen = _unseen_binding(case)
    return Ground(
        reason=unseen.reason or lacking(case, register),
        awaited=None if unseen.reason else waited(register, binding.resent),
        assumptions=unseen.assumptions, facts={"registered": "pending"}, proof=(register,),
    )


def _unseen_binding(case: Case) -> Ground:
    """No 200 to a REGISTER was seen there; that proves nothing where many packets are missing, unless the server
    itself refused."""
    binding = case.line.binding(case.request.server)
    if case.profile.lossy and (binding is None or binding.refused is None):
        return Ground(reason=Reason.LOSS_NEARBY)
    if boot_was_seen(case):
        return Ground(facts={"registered": "never"})
    older = older_binding_may_live(case)
    left = case.regime is Regime.R1 and higher_server(case) is HOLDS
    mid_life = (older or left or only_registers(case.stay)) and in_mid_life(case)
    if case.regime is Regime.R1 and (mid_life or (left and case.stay.first is None and not came_up(case))):
        # with a binding there, or after a stay, however long ago, no REGISTER is due (F7)
        return Ground(reason=Reason.STARTED_LATER)
    return Ground(assumptions=(Assumption.NO_EARLIER_STAY,) if older else (), facts={"registered": "never"})


def not_registered_since_left(case: Case) -> Ground:
    """B6, F8: the server was left by a failover, and has answered no REGISTER of the line with 200 since."""
    binding = case.line.binding(case.request.server)
    if binding is None:
        return Ground(reason=Reason.STARTED_LATER) if case.stay.first is None else FAILS
    if binding.left is None:
        started = case.stay.first is None and binding.granted is None
        return Ground(reason=Reason.STARTED_LATER) if started else FAILS
    if not case.stay.failed:
        return Ground(reason=Reason.READINGS_DIFFER)  # nothing had failed: was it a failover that left the server?
    unseen = no_move_by(case, missed(binding))
    if unseen is not HOLDS:
        return unseen
    if binding.register is not None and binding.register.time >= binding.left and binding.register.expires != 0:
        return _pending_binding(case, binding, binding.register)
    refused = binding.refused is not None and case.now - binding.refused.time <= LOSS_REACH
    if case.profile.lossy and not refused:   # a second witness, unless it speaks of long ago
        return Ground(reason=Reason.LOSS_NEARBY)
    return Ground(facts={"registered": "invalidated"})


# -- the server's answer ---------------------------------------------------------------------------------------------

def granted_nothing(case: Case) -> Ground:
    """F6: a 200 that says 0, or says no expiry anywhere and lists no Contact, opens nothing; the server's fault."""
    answer = case.answer
    if not answer.asked or not grants_nothing(answer):
        return FAILS
    if answer.granted == 0:
        # beside others' Contacts the header may speak of theirs (F6, a reading)
        unsure = Reason.READINGS_DIFFER if answer.own is False else None
        return Ground(reason=unsure, facts={"kind": "zero", "expires": answer.asked})
    nothing = answer.granted is None and answer.own is None
    return Ground(facts={"kind": "nothing", "expires": answer.asked}) if nothing else FAILS


# -- live and lapsed -------------------------------------------------------------------------------------------------

def no_binding_anywhere(case: Case) -> Ground:
    """EA, *Registrar*: the line's last live binding ended more than 32 s ago, and no REGISTER is open."""
    held = [(binding, binding.granted) for binding in case.line.bindings if binding.granted is not None]
    if not held or any(granted.own is False for _, granted in held):
        return FAILS
    until = max(min(binding.until, binding.left or NO_EXPIRY) for binding, _ in held)
    if case.now - until <= LAPSED:
        return FAILS
    _, granted = max(held, key=lambda one: one[0].until)
    if case.profile.lossy or clock_was_set(case, granted, ahead=True):
        return Ground(reason=Reason.LOSS_NEARBY)
    if case.profile.fallback:
        return Ground(reason=Reason.FALLBACK)  # the line may hold one at another entry's server
    opened = _open_registers(case)
    if opened.holds != ALWAYS or opened.reason is not None:
        return opened
    hidden = older_binding_may_live(case)
    return Ground(facts={"elapsed": case.now - until}, proof=(granted,),
                  assumptions=(Assumption.NO_EARLIER_STAY,) if hidden else ())


def _open_registers(case: Case) -> Ground:
    """No REGISTER of the line is open. One without answer for longer is not, but the capture may lack its 200: then it
    granted what was asked."""
    pending = [one for binding in case.line.bindings for one in (binding.register, binding.missed) if one is not None]
    if any(case.now - register.time <= LAPSED for register in pending):
        return FAILS
    for register in pending:
        asked = DEFAULT_EXPIRES if register.expires is None else register.expires
        if case.now - register.time - asked <= LAPSED:
            return Ground(reason=lacking(case, register))
    return HOLDS


def holds_binding_there(case: Case) -> Ground:
    """B7, F7: the line's own binding at the server is live, and not at its renewal."""
    binding = case.line.binding(case.request.server)
    if binding is None or binding.granted is None or grants_nothing(binding.granted) or binding.until <= case.now:
        return FAILS
    if binding.register is not None:
        return FAILS  # it repeats one that is open still
    boot = case.line.boot
    worlds = negate(taken(Reading.BOOT)) if boot is not None and boot.time >= binding.granted.time else ALWAYS
    refused = Reason.READINGS_DIFFER if _refused_just_now(case) else None
    return FAILS if renewal_is_near(case, binding) else Ground(
        worlds, refused, proof=(binding.granted,),
        facts={"expires": binding.expires, "elapsed": case.now - binding.granted.time})


def _refused_just_now(case: Case) -> bool:
    """Whether a server has just answered a REGISTER of the line with a 200 that may have registered nothing (F6)."""
    return any(binding.granted is not None and grants_nothing(binding.granted)
               and case.now - binding.granted.time <= WORKS_WITHIN for binding in case.line.bindings)


def refreshes_nothing(case: Case) -> Ground:
    """A REGISTER at a server where the line holds a live binding refreshes it, and moves nothing (F7). Whether one
    that ran out is kept alive late, or made anew, nobody tells."""
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
    if binding.granted is None:  # what was never granted, or was ended there and is asked for again
        return HOLDS if _asked_in_vain(case, binding) else Ground(reason=Reason.READINGS_DIFFER)
    if binding.left is not None and case.regime in (Regime.R2, Regime.R3) and not _left_by_failback(case):
        return HOLDS  # F8: what a failover made invalid is not refreshed
    renews = binding.until > case.now or binding.register is not None
    return FAILS if renews else Ground(reason=Reason.READINGS_DIFFER)


def _asked_in_vain(case: Case, binding: Binding) -> bool:
    """Whether the server has granted nothing of what it was asked. What a 200 has ended the phone may hold on to, and
    keep alive in R0 and R1 (F6, F7)."""
    ended = binding.removed is not None and binding.removed.asked != 0
    if ended and case.regime in (Regime.R0, Regime.R1):
        return False
    return binding.register is not None or binding.refused is not None


def _left_by_failback(case: Case) -> bool:
    """Whether the line came up from that server without a failure: a failback makes nothing invalid (F8)."""
    return case.stay.origin == case.request.server and not case.stay.failed and lower_server(case) is HOLDS


def _may_hold_unseen(case: Case, binding: Binding | None) -> bool:
    """Whether the line may hold a binding there from before the capture, which R0 and R1 keep when they leave (F7)."""
    seen = binding is not None and (binding.granted is not None or binding.removed is not None)
    return not seen and case.regime in (Regime.R0, Regime.R1) and older_binding_may_live(case) \
        and in_mid_life(case)


def _diverted_refresh(case: Case) -> bool:
    """Whether R0's refresh has just failed at another server, neither this nor the working one: then this one may be
    its diversion (F5), wherever calls go."""
    reaches = [reach for reach in case.phone.reaches if reach.server not in (case.stay.server, case.request.server)]
    failing: list[Sent | Answered] = [item for reach in reaches for item in reach.waiting]
    failing += [item for reach in reaches for item in reach.doubtful]
    return case.regime is Regime.R0 and any(
        item.line == case.event.line and item.method == "REGISTER"
        and case.now - item.time <= WORKS_WITHIN for item in failing)


def registers_at_one(case: Case) -> Ground:
    """Concurrent registration keeps a binding at each server. Whether the line does so is known from its settings
    only, and of other makers' phones not even from those that are left out."""
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
    """The working server did not end the line's registration, by an expiry of 0 for one. A 200 that does not list the
    line's own Contact may mean that as well (F6)."""
    binding, arrived = case.line.binding(case.stay.server), case.stay.arrived
    if arrived.method == "REGISTER" and arrived.own is not True and case.stay.opened is None:
        return Ground(reason=Reason.READINGS_DIFFER)  # it may never have come here
    if binding is None or (binding.granted is not None and binding.granted.own is True):
        return HOLDS
    if binding.granted is None:
        return FAILS
    # it may be elsewhere since, by an answer that the capture lacks
    turned = case.now if case.stay.away is None else case.stay.away.time
    soon = turned - binding.granted.time <= WORKS_WITHIN
    return Ground(reason=Reason.READINGS_DIFFER) if soon or _looks_on(case, binding.granted) else HOLDS


def _looks_on(case: Case, granted: Answered) -> bool:
    """Whether the line may still look for a server that registers it. That it has called through this one since shows
    the contrary where no call goes before it is registered (F6)."""
    calls = case.regime is not Regime.R0 and case.line.served_since(case.stay.server, granted.time)
    return case.request.method == "REGISTER" and granted.own is False and not calls


def renewal_is_near(case: Case, binding: Binding) -> bool:
    """Whether the binding's renewal is due about now, on any firmware: at half its life, or from a tenth before its
    renewal to its end."""
    assert binding.granted is not None
    age, expires = case.now - binding.granted.time, binding.expires
    due, slack = renewal(expires, case.profile.settings), _slack(case, expires)
    return age >= due - slack or abs(age - expires / 2) <= slack


def renewal_may_have_come(case: Case, binding: Binding, at: float) -> bool:
    """Whether the binding's renewal may have fallen due by then, on any firmware: a phone that could not register then
    tries again later."""
    assert binding.granted is not None
    return is_renewed_after(case, binding, at - binding.granted.time)


def is_renewed_after(case: Case, binding: Binding, seconds: float) -> bool:
    """Whether a phone may renew what was granted there so long after it was, on any firmware."""
    first = first_renewal(binding.expires, case.profile.settings)
    return seconds >= first - _slack(case, binding.expires)


def _slack(case: Case, expires: float) -> float:
    """Seconds by which a renewal may come sooner than reckoned, or later."""
    return max(DUE_SHARE * expires, case.profile.tolerances.timer)


def registered_just_now(case: Case) -> Ground:
    """F5: the same INVITE ran into silence elsewhere, the line then registered here, and now repeats it."""
    binding = case.line.binding(case.request.server)
    if binding is None or binding.granted is None or case.now - binding.granted.time > SAME_CALL:
        return FAILS
    granted = binding.granted
    began = _registering_since(case, granted)
    invite = _unanswered_twin(case, began)
    if invite is None or binding.since is not granted or _register_was_due(case, began):
        return FAILS
    facts: dict[str, Fact] = {"silent": began - invite.time, "working": invite.server, "elapsed": case.now - began}
    # what the line held and was refused before the capture may have been due, here or elsewhere
    unseen = Reason.STARTED_LATER if in_mid_life(case) else None
    return Ground(reason=unseen, facts=facts, proof=(invite, granted))


def _registering_since(case: Case, granted: Answered) -> float:
    """When the first REGISTER of a registration was sent, that which was challenged included."""
    first = case.stay.first
    if case.stay.arrived is granted and first is not None and first.method == "REGISTER" \
            and first.server == granted.server:
        return first.time
    return granted.time if granted.sent is None else granted.sent


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
        for binding in others) or _refused_just_now(case)


def _gave_up_register(case: Case, by: float) -> bool:
    """Whether a REGISTER of the line elsewhere may have run out by then, though it was answered later (F2)."""
    return any(one.method == "REGISTER" and one.line == case.event.line and one.time < by <= until
               for reach in case.phone.reaches if reach.server != case.request.server for one, until in reach.late)
