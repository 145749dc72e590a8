"""Conditions on the capture and on the phone's identity: whether anything can be judged at all."""

from __future__ import annotations

from math import inf

from sipaudit.model.case import FAILS, HOLDS, Case, Ground
from sipaudit.model.events import Answered, ModelEvent, Received, Replied, Sent
from sipaudit.model.observations import Awaited, Sign
from sipaudit.model.packets import grants_nothing
from sipaudit.model.profile import Vendor, version
from sipaudit.model.readings import Reading, negate, taken
from sipaudit.model.settings import Regime
from sipaudit.model.state import Binding
from sipaudit.model.timers import (
    BOOT_SILENCE,
    NO_EXPIRY,
    RENEWAL_LATE,
    SLACK_MIN,
    T1,
    T2_FIELD,
    first_interval,
    first_renewal,
    sendings,
)
from sipaudit.model.values import Assumption, Reason

LOSS_REACH = 64.0       # seconds: reference-model.md 4, `capture-complete`
CROSSING = 0.06     # seconds within which the 200 that ends a failover and a request of the phone may have crossed
OTHER_CLOCK = 1.0   # the same if they are in two captures, whose clocks may differ
WITHOUT_ONLY_SIGNAL = (3, 2, 4)   # C9: this firmware has no onlySignalWithRegistered


def judgeable(case: Case) -> Ground:
    """The model covers phones of this maker, and *judgeable by anyone* holds (reference-model.md 4)."""
    known = modelled(case)
    return judgeable_by_anyone(case) if known is HOLDS else known


def modelled(case: Case) -> Ground:
    """The model covers phones of this maker. A verdict that rests on a server's words alone needs no more
    (reference-model.md 4)."""
    return Ground(reason=Reason.VENDOR_UNMODELLED) if case.profile.vendor is Vendor.UNMODELLED else HOLDS


def judgeable_by_anyone(case: Case) -> Ground:
    """F1-F4 hold for phones of every maker. The phone's identity must be certain, its traffic readable, its
    registration not concurrent, and no server may be in two of its entries."""
    profile = case.profile
    if profile.identity_unsure:
        return Ground(reason=Reason.IDENTITY_UNSURE)
    if profile.encrypted:
        return Ground(reason=Reason.ENCRYPTED)
    if profile.settings.can_be("concurrentRegistration", 1):
        return Ground(reason=Reason.CONCURRENT_REGISTRATION)
    if profile.crossed:
        return Ground(reason=Reason.FALLBACK)   # it may have moved between its entries (reference-model.md 1)
    doubts = tuple(_doubts(case))
    if not _may_have_begun_before(case):
        return Ground(assumptions=doubts)
    return _began_here(case, case.event, doubts) if isinstance(case.event, Sent) else Ground(
        assumptions=doubts, slight=True)


def _doubts(case: Case) -> list[Assumption]:
    """The assumptions that are in doubt here (reference-model.md 4, *Assumptions*)."""
    profile, lost = case.profile, case.phone.lost
    doubts = []
    if profile.list_in_doubt:
        doubts.append(Assumption.LIST_AS_RESOLVED)
    if profile.lossy or profile.unconnected or (lost is not None and abs(case.now - lost) <= LOSS_REACH):
        doubts.append(Assumption.CAPTURE_COMPLETE)
    if not profile.vouched:
        doubts.append(Assumption.FIRMWARE_OBEYS)
    if profile.settings.doubted:
        doubts.append(Assumption.SETTINGS_IN_FORCE)
    return doubts


def _may_have_begun_before(case: Case) -> bool:
    """Whether a request that seems to begin just after the line's move may have begun before it: if the capture lacks
    its first sending, the next one comes an interval later. A request that began before may run its course
    (reference-model.md 6, *grace*)."""
    event, moved = case.event, case.stay.arrived.time
    if isinstance(event, Replied):   # the time that counts is that of the request it answers
        event = next((one for one in case.line.offered if one.transaction == event.transaction), event)
    elsewhere = isinstance(event, Sent | Received | Replied) and event.server != case.stay.server
    return elsewhere and 0 <= event.time - moved <= first_interval(case.profile.settings) + SLACK_MIN


def _began_here(case: Case, request: Sent, doubts: tuple[Assumption, ...]) -> Ground:
    """With doubling intervals the next sending shows whether the capture lacks the first: after the second it comes a
    second later, not half of one (RFC 3261 17.1)."""
    settings = case.profile.settings
    if settings.number("retryTimeOut") != 0:
        return Ground(assumptions=doubts, slight=True)
    return Ground(reason=Reason.LOSS_NEARBY, assumptions=doubts, awaited=Awaited(
        Sign.BEGAN, request.transaction, since=request.time + SLACK_MIN, until=request.time + T2_FIELD + SLACK_MIN,
        behind=1.5 * T1))


def nothing_missing(case: Case) -> Ground:
    """A verdict that rests on an absent packet needs an almost complete capture (reference-model.md 4) which shows the
    line's own renewals. Where only messages were captured, a refused connection would not be seen (F2)."""
    if case.profile.lossy or _renewed_unseen(case):
        return Ground(reason=Reason.LOSS_NEARBY)
    if case.profile.unconnected:
        return Ground(reason=Reason.ONE_WAY)
    return asked_more_than_once(case)


def no_failure_lost(case: Case) -> tuple[Assumption, ...]:
    """A packet that the capture is known to lack may have been a failed request to the working server. Such a failure
    stands until the server answers a similar request begun later, however long that takes (reference-model.md 1,
    *failure*)."""
    lost, stay = case.phone.lost, case.stay
    if lost is None or lost < stay.arrived.time:
        return ()
    binding = case.line.binding(stay.server)
    registered = binding is None or binding.granted is None or binding.granted.request_time >= lost
    called = case.phone.reach(stay.server).called >= lost
    return () if registered and called else (Assumption.CAPTURE_COMPLETE,)


def asked_more_than_once(case: Case) -> Ground:
    """F2: the phone sends a request several times before it leaves a silent server, and the capture would have to lack
    all of them. Where one sending is enough, the finding is likely only."""
    return HOLDS if sendings(case.profile.settings) > 1 else Ground(slight=True)


def _renewed_unseen(case: Case) -> bool:
    """Whether the line should have renewed its registration by now, at its own pace, and no request for that was seen:
    it sent that where the tap does not look, and so it may have sent anything else there. Before its first renewal it
    has no pace, but it lets no binding expire."""
    binding = case.line.latest_grant()
    if binding is None or binding.granted is None or binding.since is None or _asked_since(case, binding.granted.time):
        return False
    unpaced = _came_back_to(case, binding) or _registered_once_more(case, binding)
    due = NO_EXPIRY if unpaced else binding.due
    return case.now > min(due, binding.until) + RENEWAL_LATE


def _registered_once_more(case: Case, binding: Binding) -> bool:
    """Whether the line has registered there only twice so far, sooner than any firmware renews: a phone that has just
    booted and then reads its settings does that. It is no pace, unless the line goes on with it."""
    return binding.refreshes == 1 and binding.granted is not None and \
        binding.due - binding.granted.time < first_renewal(binding.expires, case.profile.settings) - SLACK_MIN


def ran_out_unrenewed(case: Case) -> bool:
    """Whether the line's registration with its working server, its only one where leaving invalidates the others (F8),
    has expired, and no REGISTER was seen since: it sent those unseen, and they may have failed."""
    binding = case.line.binding(case.stay.server)
    if binding is None or binding.granted is None or case.regime not in (Regime.R2, Regime.R3):
        return False
    return case.now > binding.until + SLACK_MIN and not _asked_since(case, binding.granted.time)


def _came_back_to(case: Case, binding: Binding) -> bool:
    """Whether the line last registered there to come back while its older binding was live: the time in between says
    when it moved, and nothing about its pace. A REGISTER may have other reasons (F5, F7), in R1 where no failure drove
    the line."""
    stay, regime = case.stay, case.regime
    moved = regime in (Regime.R2, Regime.R3) or (regime is Regime.R1 and bool(stay.failed) and not stay.refreshed)
    return moved and stay.server == binding.server and binding.granted is not None \
        and binding.granted.transaction == stay.arrived.transaction


def _asked_since(case: Case, granted: float) -> bool:
    """Whether a REGISTER of the line was sent, refused or made to end its registration since then."""
    for binding in case.line.bindings:
        last = (binding.register, binding.missed, binding.refused, binding.removed)
        if any(one is not None and one.time > granted for one in last):
            return True
    return False


def no_boot_since(case: Case) -> Ground:
    """No boot since the move has made the phone forget its timers, marks and dialogs (reference-model.md 1, *boot*). A
    boot of a phone that does not register (register=0) cannot be seen."""
    boot, stay = case.line.boot, case.stay
    since = stay.arrived.time if stay.first is None else stay.first.time
    hidden = case.profile.settings.can_be("register", 0) and case.now - since >= BOOT_SILENCE
    if not hidden and (boot is None or boot.time < since):
        return HOLDS
    return Ground(negate(taken(Reading.BOOT)))


def no_boot_unserved(case: Case) -> Ground:
    """No boot explains what the line does: there was none since the move, or the working server has served the line
    after it (F1). What happened after that, a phone that booted knows as well as one that did not."""
    boot = case.line.boot
    return HOLDS if boot is not None and served_after(case, case.stay.server, boot.time) else no_boot_since(case)


def served_after(case: Case, server: str, boot: float) -> bool:
    """Whether a server has served the line since that time, whatever another has answered it later. A 200 to REGISTER
    that may register nothing leaves it open where a phone that has booted works."""
    binding, served = case.line.binding(server), case.line.served
    granted = None if binding is None else binding.granted
    if granted is not None and granted.sent is not None and granted.sent >= boot and not grants_nothing(granted):
        return True
    return case.line.served_since(server, boot) and not (served is not None and grants_nothing(served))


def knows_only_signal(case: Case) -> Ground:
    """C9: the firmware is not 3.2.4, which has no onlySignalWithRegistered, so no R2."""
    firmware = case.profile.firmware
    return FAILS if firmware is not None and version(firmware)[:3] == WITHOUT_ONLY_SIGNAL else HOLDS


def may_have_crossed(case: Case, moved: Answered) -> bool:
    """Whether the request on trial may already have been on its way when the answer came that moved the line."""
    same = case.event.capture == moved.capture
    return case.now - moved.time <= (CROSSING if same else OTHER_CLOCK)


def fastest_answer(case: Case) -> float:
    """The shortest time, in seconds, that any answer seen has taken: if the servers' direction has a clock of its own,
    that lags by no more."""
    line = case.line
    known = [line.served, *(stay.arrived for stay in line.stays if stay is not None), *line.challenges]
    for binding in line.bindings:
        known += [binding.granted, binding.since, binding.refused]
    known += [reach.answered for reach in case.phone.reaches]
    return min((one.time - one.sent for one in known if one is not None and one.sent is not None), default=inf)


def clock_was_set(case: Case, since: ModelEvent, *, ahead: bool) -> bool:
    """Whether the clock of a capture was set (ahead, or back) between that event and the one on trial."""
    until = case.event
    return any(
        (capture != since.capture or since.frame < frame) and (capture != until.capture or frame <= until.frame)
        for capture, frame, seconds in case.profile.steps
        if (seconds > 0) is ahead and capture in (since.capture, until.capture)
    )
