"""Conditions on time: when a failback may come (B2-B4, C6). When it must have come is in `overdue`."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from sipaudit.model.case import FAILS, Case, Ground, holds_if
from sipaudit.model.conditions.trust import clock_was_set
from sipaudit.model.conditions.whereabouts import in_mid_life, may_have_refreshed, may_work_elsewhere
from sipaudit.model.events import EntryChanged, Failed, ModelEvent, Sent
from sipaudit.model.observations import Fact
from sipaudit.model.packets import asked_at, grants_nothing
from sipaudit.model.reach import Evidence
from sipaudit.model.readings import ALWAYS, Reading, negate, taken
from sipaudit.model.settings import Regime
from sipaudit.model.state import Binding
from sipaudit.model.timers import NO_EXPIRY, TRY_LASTS, first_renewal, renewal
from sipaudit.model.values import Assumption, Reason

LOOKUP_LASTS = 5.0   # seconds from the first answer of a lookup to the last: NAPTR, SRV, and the address of each target
CHAIN_SHOWN = 6      # answers of one lookup that a finding shows


def timer_known(case: Case) -> Ground:
    """The failover to the working server was seen, so T0 is known (reference-model.md 3)."""
    stay = case.stay
    if stay.first is None or stay.first.time < case.profile.covered_from or may_have_been_here(case):
        return Ground(reason=Reason.STARTED_LATER)
    if stay.older or stay.late >= case.gives_up:
        return Ground(reason=Reason.READINGS_DIFFER)  # the line may have been here since an earlier failover
    if not any(_drove_away(case, item) and asked_at(item) >= (stay.origin_since or 0.0) for item in stay.failed):
        return Ground(reason=Reason.READINGS_DIFFER)  # no failover: no source says what else starts the timer
    if clock_was_set(case, stay.first, ahead=False):
        return Ground(reason=Reason.LOSS_NEARBY)
    elapsed = case.now - stay.first.time
    proof = (*stay.failed[:2], stay.first, stay.arrived)
    return Ground(facts={"elapsed": elapsed, "working": stay.server}, proof=proof)


def may_have_been_here(case: Case) -> bool:
    """Whether the line may have worked here since before the capture began, and only seemed to be elsewhere."""
    stay = case.stay
    elsewhere = stay.found and may_work_elsewhere(case, stay.origin_since or stay.arrived.time)
    return in_mid_life(case) and (stay.doubted or elsewhere or may_have_refreshed(case))


def _drove_away(case: Case, item: Evidence) -> bool:
    """Whether a failover surely follows from this: not from an answer inside a dialog, nor from a 200 that may register
    (F6), nor from a 503 that is declared to be no failure (F3). A line also goes upward without a failure: then it need
    not have given up a request that was answered late (F2)."""
    if isinstance(item, Sent):
        went_upward = case.profile.leads_up(case.stay.origin or "", case.stay.server)
        return not (went_upward and case.phone.reach(item.server).was_late(item.transaction))
    if isinstance(item, Failed):
        return True
    stays = item.status == 503 and case.profile.settings.number("failoverOn503Response") == 0
    return not (item.in_dialog or grants_nothing(item) or stays)


def first_try(case: Case) -> Ground:
    """B2-B4: the line has made no earlier try in this stay. After a failed one the timer restarts at an unspecified
    moment: only the first can be premature."""
    return holds_if(not case.stay.tries)


# -- not before ------------------------------------------------------------------------------------------------------

def _early(case: Case, due: float, facts: Mapping[str, Fact], worlds: int = ALWAYS,
           assumptions: tuple[Assumption, ...] = (), proof: tuple[ModelEvent, ...] = ()) -> Ground:
    """The try begins before `due` (seconds since the epoch) less the tolerance."""
    if case.now >= due - case.profile.tolerances.timer:
        return FAILS
    return Ground(worlds, facts=facts, assumptions=assumptions, proof=proof)


def before_timeout(case: Case) -> Ground:
    """B4, C6: failBack.timeout seconds have not yet passed since the move; with 0, the line must not return before the
    next failover."""
    timeout = case.profile.settings.failback_timeout
    began = case.stay.began
    if timeout is None:
        return Ground(reason=Reason.SETTINGS_UNKNOWN)
    if began is None:
        return Ground(reason=Reason.STARTED_LATER)
    due = began[0] + timeout if timeout else NO_EXPIRY
    return _early(case, due, {"timeout": timeout, "earliest": timeout if timeout else None})


class Ttl(Struct, frozen=True):
    """The TTL as an interval, in seconds, and the DNS answers (`told`) that gave it; `ends` are the expiry times of the
    records of the last answer before the failover, if that was seen."""

    low: float
    high: float
    told: tuple[EntryChanged, ...]
    ends: tuple[float, ...]

    @property
    def seen(self) -> bool:
        """Whether such an answer to the phone was seen."""
        return bool(self.told)


def declared_ttl(case: Case) -> list[float]:
    """The TTL that the line's entry declares, if any."""
    entry = case.profile.entry
    return [] if entry is None or entry.dns_ttl is None else [float(entry.dns_ttl)]


def ttl_of(case: Case) -> Ttl | None:
    """The TTLs that may count: of the last answer before T0 and all since, and the declared one (B2). None where one of
    these answers is missing: the phone has sent a lookup, and the TTL in its answer may be arbitrarily short."""
    began, declared = case.stay.began, declared_ttl(case)
    own = [answer for answer in case.line.answers if answer.own]
    before = [answer for answer in own if began is not None and answer.time <= began[0]]
    seen = own[max(len(before) - 1, 0):]
    if any(time >= seen[0].time for time in case.line.asked if seen) or not (seen or declared):
        return None
    counted = [*seen, *(answer for answer in case.line.answers if not answer.own)]
    lows = [*(answer.ttl_low for answer in counted), *declared]
    highs = [*(answer.ttl_high for answer in counted), *declared]
    if min(lows) <= 0:
        return None
    ends = (before[-1].until, *before[-1].later) if before else ()
    return Ttl(min(lows), max(highs), _shown(before, seen), ends)


def _shown(before: list[EntryChanged], seen: list[EntryChanged]) -> tuple[EntryChanged, ...]:
    """The answers that show a TTL: those of the last lookup before T0, one for each record of the chain, and the last
    of those that count."""
    lookup = [answer for answer in before if before[-1].time - answer.time <= LOOKUP_LASTS]
    return (*lookup[-CHAIN_SHOWN:], *(answer for answer in seen[-1:] if answer not in lookup))


def ends_unseen(case: Case, ttl: Ttl) -> bool:
    """Whether the DNS answer in use at the failover may be from before the capture, so that its end is not known."""
    began = case.stay.began
    return ttl.seen and not ttl.ends and began is not None and began[0] - case.profile.covered_from < ttl.high


def runs_out_first(ttl: Ttl, began: float) -> float:
    """The earliest end of the TTL (B2), for a failover at `began` (both in seconds since the epoch)."""
    due = began + ttl.low
    return min((end for end in ttl.ends if began <= end < due), default=due)


def before_ttl(case: Case) -> Ground:
    """B2: the smallest TTL since the move has not elapsed yet, nor has the last answer from before the move expired."""
    ttl, began = ttl_of(case), case.stay.began
    if ttl is None:
        return Ground(reason=Reason.TTL_UNKNOWN)
    if began is None or ends_unseen(case, ttl):
        return Ground(reason=Reason.STARTED_LATER)
    due = runs_out_first(ttl, began[0])
    doubt = () if ttl.seen else (Assumption.TTL_FROM_FAILOVER,)
    return _early(case, due, {"ttl": ttl.low, "earliest": due - began[0]}, assumptions=doubt, proof=ttl.told)


def before_renewal(case: Case) -> Ground:
    """B3: the renewal of the working server's binding is not yet due (in R0: of the latest binding)."""
    began = case.stay.began
    binding = case.line.latest_grant() if case.regime is Regime.R0 else case.line.binding(case.stay.server)
    if began is None or binding is None or binding.granted is None or binding.expires == NO_EXPIRY:
        return Ground(reason=Reason.STARTED_LATER)
    if binding.granted.own is False:
        return Ground(reason=Reason.READINGS_DIFFER)  # its lifetime was not stated (F6)
    if _was_due(case, binding, began):
        return Ground(reason=Reason.READINGS_DIFFER)
    older, newer = renewals(case, binding)
    facts: dict[str, Fact] = {"expires": binding.expires, "earliest": newer - began[0]}
    granted = (binding.granted,)
    if case.profile.firmware is not None:
        return _early(case, newer, facts, proof=granted)
    early = _early(case, older, facts, proof=granted)
    if early.holds == ALWAYS:
        return early
    return _early(case, newer, facts, worlds=negate(taken(Reading.HALF_RENEWAL)), proof=granted)


def _was_due(case: Case, binding: Binding, began: tuple[float, float]) -> bool:
    """Whether a renewal has been due since the move: from then on the primary is first, wherever that REGISTER went
    (R0, R1: it may have gone to either server)."""
    arrived = began[1]
    if case.regime in (Regime.R0, Regime.R1) and (_renewed_by_the_move(case) or any(
        one.since is not None and one.since.time > arrived for one in case.line.bindings
    ) or _renewed_on_the_way(case, began)):
        return True
    granted, since = binding.granted, binding.since
    if granted is None or since is None or granted is since or granted.time <= arrived:
        return False
    if grants_nothing(since):
        return True  # it may have been no registration at all (F6)
    said = since.asked if since.granted is None else since.granted
    if said is None:
        return True  # the capture lacks the request: the lifetime is not known
    first = since.time + first_renewal(said, case.profile.settings)
    return granted.request_time >= first - case.profile.tolerances.timer


def _renewed_on_the_way(case: Case, began: tuple[float, float]) -> bool:
    """Whether the line renewed a binding elsewhere while it moved: an answer other than a success may have brought the
    line to its server before that (reference-model.md 1, *working server*)."""
    return any(one.server != case.stay.server and one.refreshes > 0 and one.granted is not None
               and began[0] < one.granted.time < began[1] for one in case.line.bindings)


def _renewed_by_the_move(case: Case) -> bool:
    """Whether the REGISTER that ended the move may have been a due renewal: another packet had begun the move, or the
    line was already registered there."""
    stay, there = case.stay, case.line.binding(case.stay.server)
    first, arrived = stay.first, stay.arrived
    if first is None or arrived.method != "REGISTER":
        return False
    renewed = there is not None and there.granted is arrived and there.refreshes > 0
    later = arrived.sent is not None and arrived.sent > first.time + TRY_LASTS
    return renewed or later or first.method != "REGISTER"


def renewals(case: Case, binding: Binding) -> tuple[float, float]:
    """When old firmware renews the binding, and when newer firmware does (seconds since the epoch)."""
    granted, began, expires = binding.granted, case.stay.began, binding.expires
    assert granted is not None
    # the binding that came with the move counts from T0, a later one from its own 200
    start = began[0] if began is not None and began[0] <= granted.time <= began[1] else granted.time
    settings = case.profile.settings
    return start + first_renewal(expires, settings), start + renewal(expires, settings)
