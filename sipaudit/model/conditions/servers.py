"""Conditions on where the request goes: which server of the entry, and how it stands to the working server."""

from __future__ import annotations

from sipaudit.model.case import FAILS, HOLDS, Case, Ground, holds_if
from sipaudit.model.values import Reason


def same_entry(case: Case) -> Ground:
    """Failover and failback are moves inside one server entry (reference-model.md 1, *server entry*)."""
    entry = case.profile.entry
    if entry is None:
        return Ground(reason=Reason.ENTRY_UNKNOWN)
    here, there = entry.priority(case.stay.server), entry.priority(getattr(case.event, "server", ""))
    if here is None or there is None:
        return FAILS  # a server of nobody's list: not ours to judge
    return Ground(reason=Reason.LOAD_BALANCED) if here == there else HOLDS


def _ranks(case: Case) -> tuple[int, int] | None:
    """Priorities of the working server and of the request's; the smaller number is the higher server."""
    entry = case.profile.entry
    if entry is None:
        return None
    here, there = entry.priority(case.stay.server), entry.priority(case.request.server)
    return None if here is None or there is None else (here, there)


def higher_server(case: Case) -> Ground:
    """Failback goes upward (B8: a server between counts as a try as well)."""
    ranks = _ranks(case)
    return holds_if(ranks is None or ranks[1] < ranks[0])


def lower_server(case: Case) -> Ground:
    """Failover goes downward, or wraps from the last server to the head (F1)."""
    ranks = _ranks(case)
    return holds_if(ranks is None or ranks[1] > ranks[0])


def several_servers(case: Case) -> Ground:
    """With one address there is nothing to judge."""
    entry = case.profile.entry
    if entry is None:
        return Ground(reason=Reason.ENTRY_UNKNOWN)
    if len(entry.servers) > 1:
        return HOLDS
    return Ground(reason=Reason.FALLBACK if case.profile.fallback else Reason.SINGLE_SERVER)


def primary_key(case: Case) -> str | None:
    """The primary's key, None when the entry is not known or has no single one."""
    primary = case.profile.entry.primary if case.profile.entry else None
    return None if primary is None else primary.key


def to_the_primary(case: Case) -> Ground:
    """The request goes to the server of best priority."""
    return holds_if(case.request.server == primary_key(case))


def below_primary(case: Case) -> Ground:
    """The packet's server is of the entry and lower than its primary."""
    entry = case.profile.entry
    if entry is None:
        return Ground(reason=Reason.ENTRY_UNKNOWN)
    there = entry.priority(getattr(case.event, "server", ""))
    if there is None:
        return FAILS
    primary = entry.primary
    if primary is None:
        return Ground(reason=Reason.LOAD_BALANCED)
    return Ground(facts={"primary": primary.key}) if there > primary.priority else FAILS


def list_unchanged(case: Case) -> Ground:
    """A DNS answer that changed the list makes another server first by right."""
    changed, stay = case.line.reordered, case.stay
    return FAILS if changed is not None and stay.first is not None and changed.time >= stay.first.time else HOLDS


def order_unchanged(case: Case) -> Ground:
    """The same, where the stay may have been found in progress: a change since the working server last answered."""
    changed, answered = case.line.reordered, case.phone.reach(case.stay.server).answered
    since = case.stay.arrived.time if answered is None else answered.time
    return FAILS if changed is not None and changed.time >= since else HOLDS


def between_untouched(case: Case) -> Ground:
    """F1: a server between the one left and this one, of which the phone knows nothing bad and which it did not try
    since the failure."""
    ranks, entry = _ranks(case), case.profile.entry
    if ranks is None or entry is None:
        return HOLDS  # which servers there are is not known, as `same_entry` says
    between = [server for server in entry.servers if ranks[0] < server.priority < ranks[1]]
    for server in between:
        reach = case.phone.reach(server.key)
        known = reach.hard or reach.doubtful or reach.waiting
        # a name that has not been resolved is no server that could be tried
        if server.address is not None and not known and reach.touched < case.stay.arrived.time:
            return Ground(facts={"skipped": server.key})
    return FAILS
