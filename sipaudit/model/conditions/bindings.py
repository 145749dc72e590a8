"""Conditions on registrations: what the line holds at the server of the request (F6-F8, B6, B7)."""

from __future__ import annotations

from msgspec.structs import replace

from sipaudit.model.absorb_moves import only_registers
from sipaudit.model.case import FAILS, HOLDS, Case, Ground
from sipaudit.model.conditions.failures import RETRY_WAIT, waited
from sipaudit.model.conditions.refreshes import refused_just_now, renewal_is_near
from sipaudit.model.conditions.servers import higher_server
from sipaudit.model.conditions.trust import LOSS_REACH, clock_was_set
from sipaudit.model.conditions.unseen import lacking, missed, no_move_by
from sipaudit.model.conditions.whereabouts import (
    boot_was_seen,
    came_up,
    in_mid_life,
    may_have_refreshed,
    older_binding_may_live,
)
from sipaudit.model.events import Answered, ModelEvent, Sent
from sipaudit.model.packets import grants_nothing
from sipaudit.model.readings import ALWAYS, Reading, negate, taken
from sipaudit.model.settings import Regime
from sipaudit.model.state import Binding
from sipaudit.model.timers import DEFAULT_EXPIRES, NO_EXPIRY, TRY_LASTS
from sipaudit.model.values import Assumption, Reason

LAPSED = 32.0         # seconds after which an ended binding counts as ended (EA; a renewal may be on its way)


def no_binding_there(case: Case) -> Ground:
    """F6: the line can hold no live binding at the server it signals to."""
    binding = case.line.binding(case.request.server)
    if binding is None:
        return _unseen_binding(case)
    lives = binding.granted is not None and binding.until > case.now
    if lives and case.regime is Regime.R1:
        return FAILS  # from an earlier stay: right in R1 (F7); for R2 and R3 no source says
    if lives or _may_work_there(case, binding):
        return Ground(reason=Reason.READINGS_DIFFER)
    if case.stay.origin == binding.server and may_have_refreshed(case):
        return Ground(reason=Reason.STARTED_LATER)   # then it still works there, and has registered there (F6, F7)
    if case.regime is Regime.R1 and higher_server(case) is HOLDS:
        if binding.granted is not None or binding.removed is not None:
            return FAILS  # F7: failback without REGISTER is right even after the binding expired
        if binding.missed is not None:
            return Ground(reason=lacking(case, binding.missed))   # it counts however long ago it was granted
    unseen = no_move_by(case, missed(binding))
    if unseen is not HOLDS:
        return unseen
    if binding.register is not None:
        return _pending_binding(case, binding, binding.register)
    return _unseen_binding(case) if binding.granted is None else _lapsed_binding(case, binding.granted)


def _may_work_there(case: Case, binding: Binding) -> bool:
    """Whether a 200 to REGISTER may have brought the line there since it arrived at its working server: then nothing
    gates its calls there. In R1 a renewal of a binding shows nothing (F7), unless the line may have left its server
    then."""
    since = case.stay.arrived.time
    if any(one.server == binding.server and one.method == "REGISTER" and one.granted != 0
           for one in case.stay.asides):
        return True
    granted = binding.since if case.regime is Regime.R1 else binding.granted
    return granted is not None and granted.time > since


def _lapsed_binding(case: Case, granted: Answered) -> Ground:
    if granted.own is False:
        return Ground(reason=Reason.READINGS_DIFFER)  # its lifetime was not stated (F6)
    if case.profile.lossy or clock_was_set(case, granted, ahead=True):
        return Ground(reason=Reason.LOSS_NEARBY)
    hidden = granted.time < case.profile.covered_from
    return Ground(assumptions=(Assumption.NO_EARLIER_STAY,) if hidden else (), facts={"registered": "expired"},
                  proof=(granted,))


def _pending_binding(case: Case, binding: Binding, register: Sent) -> Ground:
    """A REGISTER is open and no final answer was seen: was there none, or does the capture lack it?"""
    unseen = _unseen_binding(case)
    return Ground(
        reason=unseen.reason or lacking(case, register),
        awaited=None if unseen.reason else waited(case, register, binding.resent),
        assumptions=unseen.assumptions, facts={"registered": "pending"}, proof=(register,),
    )


def _unseen_binding(case: Case) -> Ground:
    """No 200 to a REGISTER was seen there; where many packets are missing that proves nothing, unless the server
    refused."""
    binding = case.line.binding(case.request.server)
    if case.profile.lossy and (binding is None or binding.refused is None):
        return Ground(reason=Reason.LOSS_NEARBY)
    if boot_was_seen(case):
        return _none_granted(binding)
    older = older_binding_may_live(case)
    left = case.regime is Regime.R1 and higher_server(case) is HOLDS
    mid_life = (older or left or only_registers(case.stay)) and in_mid_life(case)
    if case.regime is Regime.R1 and (mid_life or (left and case.stay.first is None and not came_up(case))):
        # after a binding or a stay there, however long ago, no REGISTER is required (F7)
        return Ground(reason=Reason.STARTED_LATER)
    return replace(_none_granted(binding), assumptions=(Assumption.NO_EARLIER_STAY,) if older else ())


def _none_granted(binding: Binding | None) -> Ground:
    """The line has no binding there: it asked for none, was refused, was granted one of 0 seconds, or has ended it."""
    refused = None if binding is None else binding.refused
    ended = None if binding is None else binding.removed
    if refused is not None:
        return Ground(facts={"registered": "refused" if refused.status >= 300 else "zero"}, proof=(refused,))
    return Ground(facts={"registered": "never"}) if ended is None else \
        Ground(facts={"registered": "removed"}, proof=(ended,))


def not_registered_since_left(case: Case) -> Ground:
    """B6, F8: the line left the server by a failover, and the server has answered none of its REGISTERs with 200
    since."""
    binding = case.line.binding(case.request.server)
    if binding is None:
        return Ground(reason=Reason.STARTED_LATER) if case.stay.first is None else FAILS
    if binding.left is None:
        started = case.stay.first is None and binding.granted is None
        return Ground(reason=Reason.STARTED_LATER) if started else FAILS
    if not case.stay.failed:
        return Ground(reason=Reason.READINGS_DIFFER)  # nothing had failed: the move away may not have been a failover
    unseen = no_move_by(case, missed(binding))
    if unseen is not HOLDS:
        return unseen
    register = binding.register
    if register is not None and register.time >= binding.left and register.expires != 0:
        called = _called_after(case, register)
        if called is not None:
            return Ground(facts={"registered": "invalidated"}, proof=(*_left(case, binding), register, called))
        pending = _pending_binding(case, binding, register)
        return replace(pending, proof=(*_left(case, binding), *pending.proof))
    refused = binding.refused is not None and case.now - binding.refused.time <= LOSS_REACH
    if case.profile.lossy and not refused:   # a recent refusal confirms it
        return Ground(reason=Reason.LOSS_NEARBY)
    return Ground(facts={"registered": "invalidated"}, proof=_left(case, binding))


def _called_after(case: Case, register: Sent) -> Answered | None:
    """The answer that shows that the try by this REGISTER has failed: by then the line called on through its working
    server (F11). A REGISTER there may be a mere refresh (F7)."""
    served = case.line.served
    calls = served is not None and served.method != "REGISTER"
    return served if calls and case.line.served_since(case.stay.server, register.time + TRY_LASTS) else None


def _left(case: Case, binding: Binding) -> tuple[ModelEvent, ...]:
    """The events that show that the line left the binding's server, as failed or to work elsewhere, and is not back."""
    stay, refused, left = case.stay, binding.refused, binding.left
    moved = stay.first is not None and stay.origin == binding.server
    went = (*stay.failed[:2], stay.first) if moved and stay.first is not None else ()
    no = (refused,) if refused is not None and left is not None and refused.time >= left else ()
    return (*went, stay.arrived, *no)


# -- the server's answer ---------------------------------------------------------------------------------------------

def granted_nothing(case: Case) -> Ground:
    """F6: a 200 that grants 0 s, or that states no expiry and lists no Contact, creates no binding; that is the
    server's fault."""
    answer = case.answer
    if not answer.asked or not grants_nothing(answer):
        return FAILS
    if answer.granted == 0:
        # with other Contacts listed, the header may apply to those (F6, a reading)
        unsure = Reason.READINGS_DIFFER if answer.own is False else None
        return Ground(reason=unsure, facts={"kind": "zero", "expires": answer.asked})
    nothing = answer.granted is None and answer.own is None
    return Ground(facts={"kind": "nothing", "expires": answer.asked}) if nothing else FAILS


# -- live and expired ------------------------------------------------------------------------------------------------

def no_binding_anywhere(case: Case) -> Ground:
    """EA, *Registrar*: the line's last live binding ended more than 32 s ago, and no REGISTER is open."""
    held = [(binding, binding.granted) for binding in case.line.bindings if binding.granted is not None]
    if not held or any(granted.own is False for _, granted in held):
        return FAILS
    until, granted = max(((min(binding.until, binding.left or NO_EXPIRY), granted) for binding, granted in held),
                         key=lambda one: one[0])
    if case.now - until <= LAPSED:
        return FAILS
    if case.profile.lossy or clock_was_set(case, granted, ahead=True):
        return Ground(reason=Reason.LOSS_NEARBY)
    if case.profile.fallback:
        return Ground(reason=Reason.FALLBACK)  # the line may hold a binding at another entry's server
    opened = _open_registers(case)
    if opened.holds != ALWAYS or opened.reason is not None:
        return opened
    hidden = older_binding_may_live(case) and not boot_was_seen(case)
    return Ground(facts={"elapsed": case.now - until}, proof=(granted,),
                  assumptions=(Assumption.NO_EARLIER_STAY,) if hidden else ())


def _open_registers(case: Case) -> Ground:
    """No REGISTER of the line is open. One that was unanswered for longer is not, but the capture may lack its 200:
    then that granted what was asked."""
    pending = [one for binding in case.line.bindings for one in (binding.register, binding.missed) if one is not None]
    if any(case.now - register.time <= LAPSED for register in pending):
        return FAILS
    for register in pending:
        asked = DEFAULT_EXPIRES if register.expires is None else register.expires
        if case.now - register.time - asked <= LAPSED:
            return Ground(reason=lacking(case, register))
    return HOLDS


def holds_binding_there(case: Case) -> Ground:
    """B7, F7: the line's own binding at the server is live and not due for renewal."""
    binding = case.line.binding(case.request.server)
    if binding is None or binding.granted is None or grants_nothing(binding.granted) or binding.until <= case.now:
        return FAILS
    if binding.register is not None or _asks_again(case, binding):
        return FAILS  # it repeats one that is still open, or was refused
    boot, granted = case.line.boot, binding.granted
    worlds = negate(taken(Reading.BOOT)) if boot is not None and boot.time >= granted.time else ALWAYS
    if granted.time - granted.request_time >= case.gives_up:
        worlds &= negate(taken(Reading.GAVE_UP))   # or was answered only after the phone had given it up
    refused = Reason.READINGS_DIFFER if refused_just_now(case) else None
    return FAILS if renewal_is_near(case, binding) else Ground(
        worlds, refused, proof=(binding.granted,),
        facts={"expires": binding.expires, "elapsed": case.now - binding.granted.time})


def _asks_again(case: Case, binding: Binding) -> bool:
    """Whether the phone may still be waiting to register again after it was refused there."""
    refused = binding.refused
    return refused is not None and case.now - refused.time <= RETRY_WAIT + case.profile.tolerances.timer
