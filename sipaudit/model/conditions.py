"""The vocabulary of the expectations: conditions on a request, each with its clause.

A condition answers with a `Ground`: the worlds of readings in which it holds,
or the reason why it cannot be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from sipaudit.model.absorb import KEEPALIVES, redirects
from sipaudit.model.events import Answered, Failed, ModelEvent, Sent
from sipaudit.model.observations import Awaited, Fact
from sipaudit.model.profile import Profile, Vendor
from sipaudit.model.readings import ALWAYS, NEVER, Reading, negate, taken
from sipaudit.model.settings import Mode, Regime
from sipaudit.model.state import Binding, Evidence, LineState, PhoneState, Stay, evidence
from sipaudit.model.timers import NO_EXPIRY, earliest_silence, renewal
from sipaudit.model.values import Assumption, Reason

LOSS_REACH = 64.0       # seconds: reference-model.md 4, `capture-complete`
RETRANSMIT_FROM = 0.3   # seconds after a sending: what comes sooner is a mirror's copy, no retransmission (T1 0.5)
DEFAULT_EXPIRES = 3600
NEVER_GATED = KEEPALIVES | {"REGISTER", "CANCEL", "ACK"}
DIALOG_INITIATING = frozenset({"INVITE", "SUBSCRIBE", "REFER"})


class Case(Struct, frozen=True):
    """One request on trial under one regime and mode; `stay` is the line's stay at its working server."""

    line: LineState
    phone: PhoneState
    request: Sent
    profile: Profile
    regime: Regime
    mode: Mode
    stay: Stay

    @property
    def now(self) -> float:
        return self.request.time


class Ground(Struct, frozen=True):
    """What a condition found: the worlds in which it holds, or the `reason` why it cannot be told - not before
    `awaited` shows that the phone was waiting still."""

    holds: int = ALWAYS
    reason: Reason | None = None
    awaited: Awaited | None = None
    assumptions: tuple[Assumption, ...] = ()
    facts: Mapping[str, Fact] = {}
    proof: tuple[ModelEvent, ...] = ()


HOLDS = Ground()
FAILS = Ground(NEVER)
Condition = Callable[[Case], Ground]


# -- which request ---------------------------------------------------------------------------------------------------

def gated_request(case: Case) -> Ground:
    """F6 holds back every out-of-dialog request but REGISTER; OPTIONS and keepalives are not judged."""
    request = case.request
    return FAILS if request.method in NEVER_GATED or request.emergency else HOLDS


def failback_request(case: Case) -> Ground:
    """The narrow term *try*: a dialog-initiating request, in R2 and R3 also a REGISTER with expiry > 0."""
    request = case.request
    if request.emergency or request.expires == 0:
        return FAILS
    if request.method == "REGISTER":
        return HOLDS if case.regime in (Regime.R2, Regime.R3) else FAILS
    return HOLDS if request.method in DIALOG_INITIATING else FAILS


# -- which server ----------------------------------------------------------------------------------------------------

def same_entry(case: Case) -> Ground:
    """Failover and failback are moves inside one server entry (reference-model.md 1, *server entry*)."""
    entry = case.profile.entry
    if entry is None:
        return Ground(reason=Reason.ENTRY_UNKNOWN)
    here, there = entry.priority(case.stay.server), entry.priority(case.request.server)
    if here is None or there is None:
        return FAILS  # a server of nobody's list: not ours to judge
    return Ground(reason=Reason.LOAD_BALANCED) if here == there else HOLDS


def higher_server(case: Case) -> Ground:
    """Failback goes upward (B8: a server between counts as a try as well)."""
    entry = case.profile.entry
    if entry is None:
        return HOLDS
    here, there = entry.priority(case.stay.server), entry.priority(case.request.server)
    return HOLDS if here is None or there is None or there < here else FAILS


# -- what went before ------------------------------------------------------------------------------------------------

def _standing(case: Case) -> tuple[Evidence, ...]:
    reach = case.phone.reach(case.stay.server)
    return tuple(evidence(reach, case.now, earliest_silence(case.profile.settings)))


def after_a_failure(case: Case) -> Ground:
    """The working server has failed for this phone (F2-F4), so the line is moving."""
    standing = tuple(item for item in _standing(case) if not redirects(item))
    holds = NEVER
    for item in standing:
        holds |= _sends_away(item, case)
    if holds == NEVER:
        return FAILS
    since = min(_began(item) for item in standing)
    return Ground(holds, facts={"silent": case.now - since, "working": case.stay.server}, proof=standing[:3])


def _sends_away(item: Evidence, case: Case) -> int:
    """The worlds in which this evidence makes a line move on; after a 503 every firmware may (F3)."""
    if isinstance(item, Failed):
        return ALWAYS
    if isinstance(item, Sent):
        ringing = case.phone.reach(item.server).ringing
        return taken(Reading.OPEN_CODE) if item.in_dialog or item.transaction in ringing else ALWAYS
    if item.status == 503:
        stays = case.profile.settings.number("failoverOn503Response") == 0
        return taken(Reading.UNAVAILABLE) if stays else ALWAYS
    return taken(Reading.OPEN_CODE)


def _began(item: Evidence) -> float:
    return item.sent if isinstance(item, Failed) else item.time


def working_server_alive(case: Case) -> Ground:
    """Nothing speaks against the working server since it last answered; else going elsewhere is no failback."""
    reach = case.phone.reach(case.stay.server)
    holds = ALWAYS
    for item in _standing(case):
        holds &= negate(_failure(item, reach.ringing, case.stay.arrived.time))
    fresh = [request for request in reach.waiting if request.line == case.request.line and not request.in_dialog
             and request.transaction not in reach.ringing
             and case.now - request.time < earliest_silence(case.profile.settings)]
    if holds == NEVER or not fresh:
        return Ground(holds)
    # it was asked just now, and the capture may lack what told the phone that it had failed
    return Ground(holds, Reason.LOSS_NEARBY, _awaited(fresh[-1], None))


def _awaited(request: Sent, resent: float | None) -> Awaited:
    return Awaited(request.transaction, (resent or request.time) + RETRANSMIT_FROM)


def _failure(item: Evidence, ringing: tuple[int, ...], arrived: float) -> int:
    """The worlds in which this evidence says that the working server failed during the stay."""
    if isinstance(item, Sent):
        return taken(Reading.OPEN_CODE) if item.in_dialog or item.transaction in ringing else ALWAYS
    if item.time < arrived:
        return NEVER
    if isinstance(item, Failed) or redirects(item):
        return ALWAYS
    return taken(Reading.UNAVAILABLE if item.status == 503 else Reading.OPEN_CODE)


def timer_known(case: Case) -> Ground:
    """The failover to the working server was seen, so T0 is known."""
    stay = case.stay
    if stay.first is None or stay.first.time < case.profile.covered_from:
        return Ground(reason=Reason.STARTED_LATER)
    if not any(_began(item) >= (stay.origin_since or 0.0) for item in stay.failed):
        return Ground(reason=Reason.READINGS_DIFFER)  # no failover: what else would start the timer is not said
    if _clock_was_set(case, stay.first, ahead=False):
        return Ground(reason=Reason.LOSS_NEARBY)
    elapsed = case.now - stay.first.time
    proof = (*stay.failed[:2], stay.first, stay.arrived)
    return Ground(facts={"elapsed": elapsed, "working": stay.server}, proof=proof)


def _clock_was_set(case: Case, since: ModelEvent, *, ahead: bool) -> bool:
    """Whether the clock of a capture was set (ahead, or back) between that event and the request."""
    until = case.request
    return any(
        (capture != since.capture or since.frame < frame) and (capture != until.capture or frame <= until.frame)
        for capture, frame, seconds in case.profile.steps
        if (seconds > 0) is ahead and capture in (since.capture, until.capture)
    )


def first_try(case: Case) -> Ground:
    """After a failed try the timer starts again from an unspecified moment: only the first can be premature."""
    return HOLDS if case.stay.tried is None else FAILS


def no_boot_since(case: Case) -> Ground:
    """A boot forgets the timer."""
    boot, stay = case.line.boot, case.stay
    if boot is None or stay.first is None or boot.time < stay.first.time:
        return HOLDS
    return Ground(negate(taken(Reading.BOOT)))


def list_unchanged(case: Case) -> Ground:
    """A DNS answer that changed the list makes another server first by right."""
    changed, stay = case.line.reordered, case.stay
    return FAILS if changed is not None and stay.first is not None and changed.time >= stay.first.time else HOLDS


def still_working(case: Case) -> Ground:
    """Read literally, a 2xx inside a dialog, too, makes another server the working one (not in R2, F9); in R0 a busy
    or a not found may."""
    answer = case.stay.aside
    if case.regime is Regime.R2 or answer is None or answer.server != case.request.server:
        return HOLDS
    return Ground(negate(taken(Reading.LITERAL)))


# -- F6: no live binding there ---------------------------------------------------------------------------------------

def no_binding_there(case: Case) -> Ground:
    """The line can hold no live binding at the server it signals to."""
    binding = case.line.binding(case.request.server)
    if binding is None:
        return _unseen_binding(case)
    if binding.granted is not None:
        if binding.until > case.now:
            # of an earlier stay: right in R1 (F7), told by no source in R2 and R3
            return FAILS if case.regime is Regime.R1 else Ground(reason=Reason.READINGS_DIFFER)
        if case.regime is Regime.R1 and higher_server(case) is HOLDS:
            return FAILS  # F7: failback without REGISTER is right after the binding lapsed, too
    if binding.register is not None:
        return _pending_binding(case, binding, binding.register)
    return _unseen_binding(case) if binding.granted is None else _lapsed_binding(case, binding.granted)


def _lapsed_binding(case: Case, granted: Answered) -> Ground:
    if granted.own is False:
        return Ground(reason=Reason.READINGS_DIFFER)  # how long it lived was not said (F6)
    if case.profile.lossy or _clock_was_set(case, granted, ahead=True):
        return Ground(reason=Reason.LOSS_NEARBY)
    hidden = granted.time < case.profile.covered_from
    return Ground(assumptions=(Assumption.NO_EARLIER_STAY,) if hidden else (), facts={"registered": "expired"})


def _pending_binding(case: Case, binding: Binding, register: Sent) -> Ground:
    """A REGISTER is out and no final answer was seen: was there none, or did the capture miss it?"""
    heard = case.request.server in case.profile.heard
    unseen = _unseen_binding(case)
    return Ground(
        reason=unseen.reason or (Reason.LOSS_NEARBY if heard else Reason.ONE_WAY),
        awaited=None if unseen.reason else _awaited(register, binding.resent),
        assumptions=unseen.assumptions, facts={"registered": "pending"}, proof=(register,),
    )


def _unseen_binding(case: Case) -> Ground:
    """No 200 to a REGISTER was seen there; that proves nothing where many packets are missing, unless the server
    itself refused."""
    binding = case.line.binding(case.request.server)
    if case.profile.lossy and (binding is None or binding.refused is None):
        return Ground(reason=Reason.LOSS_NEARBY)
    doubt = case.now - case.profile.covered_from < _longest_expiry(case) or _left_unseen(case)
    assumptions = (Assumption.NO_EARLIER_STAY,) if doubt else ()
    return Ground(assumptions=assumptions, facts={"registered": "never"})


def _left_unseen(case: Case) -> bool:
    """Whether this may be a server left before the capture began: in R1 a return there needs no live binding (F7)."""
    return case.regime is Regime.R1 and case.stay.first is None and higher_server(case) is HOLDS


def _longest_expiry(case: Case) -> float:
    """How long a binding made before the capture could live, in seconds."""
    asked = case.profile.settings.number("expires") or DEFAULT_EXPIRES
    seen = [binding.expires for binding in case.line.bindings if binding.expires != NO_EXPIRY]
    return max([asked, *seen])


def registers(case: Case) -> Ground:
    """register=0: the line registers nowhere, so nothing is held back."""
    return FAILS if case.profile.settings.number("register") == 0 else HOLDS


# -- B2-B4: before it is due -----------------------------------------------------------------------------------------

def _early(case: Case, due: float, facts: Mapping[str, Fact], worlds: int = ALWAYS,
           assumptions: tuple[Assumption, ...] = ()) -> Ground:
    """The try begins before `due` (seconds since the epoch) less the tolerance."""
    if case.now >= due - case.profile.tolerances.timer:
        return FAILS
    return Ground(worlds, facts=facts, assumptions=assumptions)


def before_timeout(case: Case) -> Ground:
    """B4, C6: not before failBack.timeout seconds after the move; 0: not before the next failover."""
    timeout = case.profile.settings.failback_timeout
    began = case.stay.began
    if timeout is None:
        return Ground(reason=Reason.SETTINGS_UNKNOWN)
    if began is None:
        return Ground(reason=Reason.STARTED_LATER)
    due = began[0] + timeout if timeout else NO_EXPIRY
    return _early(case, due, {"timeout": timeout, "earliest": timeout if timeout else None})


def before_ttl(case: Case) -> Ground:
    """B2: not before the smallest TTL has run since the move, or the last answer before it has run out."""
    entry, began = case.profile.entry, case.stay.began
    declared = None if entry is None else entry.dns_ttl
    before = [answer for answer in case.line.answers if began is not None and answer.time <= began[0]]
    seen = [answer.ttl_low for answer in case.line.answers[max(len(before) - 1, 0):]]
    lows = [*seen, *([] if declared is None else [declared])]
    if not lows or min(lows) <= 0:
        return Ground(reason=Reason.TTL_UNKNOWN)
    if began is None:
        return Ground(reason=Reason.STARTED_LATER)
    due = began[0] + min(lows)
    if before and began[0] <= before[-1].until < due:
        due = before[-1].until
    doubt = () if seen else (Assumption.TTL_FROM_FAILOVER,)
    return _early(case, due, {"ttl": min(lows), "earliest": due - began[0]}, assumptions=doubt)


def before_renewal(case: Case) -> Ground:
    """B3: not before the renewal of the working server's binding (R0: of the latest one)."""
    began = case.stay.began
    binding = case.line.latest_grant() if case.regime is Regime.R0 else case.line.binding(case.stay.server)
    if began is None or binding is None or binding.granted is None or binding.expires == NO_EXPIRY:
        return Ground(reason=Reason.STARTED_LATER)
    if binding.granted.own is False:
        return Ground(reason=Reason.READINGS_DIFFER)  # how long it lives was not said (F6)
    there = case.line.binding(case.request.server)
    if case.regime in (Regime.R0, Regime.R1) and there and there.granted and there.granted.time > began[1]:
        return Ground(reason=Reason.READINGS_DIFFER)  # a renewal may go to either server: was that the return?
    expires = binding.expires
    # the binding that came with the move counts from T0, a later one from its own 200
    start = began[0] if began[0] <= binding.granted.time <= began[1] else binding.granted.time
    newer = start + renewal(expires, case.profile.settings.number("expires.overlap"))
    older = start + min(expires / 2, newer - start)
    facts: dict[str, Fact] = {"expires": expires, "earliest": newer - began[0]}
    if case.profile.firmware is not None:
        return _early(case, newer, facts)
    early = _early(case, older, facts)
    if early.holds == ALWAYS:
        return early
    return _early(case, newer, facts, worlds=negate(taken(Reading.HALF_RENEWAL)))


# -- who can be judged at all ----------------------------------------------------------------------------------------

def judgeable(case: Case) -> Ground:
    """Who the phone is decides whether the model speaks of it at all (reference-model.md 4)."""
    profile = case.profile
    if profile.identity_unsure:
        return Ground(reason=Reason.IDENTITY_UNSURE)
    if profile.encrypted:
        return Ground(reason=Reason.ENCRYPTED)
    if profile.vendor is Vendor.UNMODELLED:
        return Ground(reason=Reason.VENDOR_UNMODELLED)
    if profile.settings.number("concurrentRegistration") == 1:
        return Ground(reason=Reason.CONCURRENT_REGISTRATION)
    return Ground(assumptions=tuple(_doubts(case)))


def _doubts(case: Case) -> list[Assumption]:
    """The assumptions that something puts in doubt here (reference-model.md 4, *Assumptions*)."""
    profile, lost = case.profile, case.phone.lost
    doubts = []
    if profile.list_in_doubt:
        doubts.append(Assumption.LIST_AS_RESOLVED)
    if profile.lossy or (lost is not None and abs(case.now - lost) <= LOSS_REACH):
        doubts.append(Assumption.CAPTURE_COMPLETE)
    if not profile.vouched:
        doubts.append(Assumption.FIRMWARE_OBEYS)
    return doubts
