"""Conditions on where the request goes: which server of the entry, and its place relative to the working server."""

from __future__ import annotations

from math import inf

from sipaudit.model.case import FAILS, HOLDS, Case, Ground, holds_if
from sipaudit.model.conditions.trust import may_have_crossed
from sipaudit.model.conditions.whereabouts import in_mid_life
from sipaudit.model.observations import Fact
from sipaudit.model.packets import asked_at
from sipaudit.model.reach import evidence, speaks_against
from sipaudit.model.settings import EntryServer, ServerEntry
from sipaudit.model.values import Reason


def same_entry(case: Case) -> Ground:
    """Both servers are in one server entry, inside which failover and failback take place (reference-model.md 1,
    *server entry*)."""
    entry = case.profile.entry
    if entry is None:
        return Ground(reason=Reason.ENTRY_UNKNOWN)
    here, there = entry.priority(case.stay.server), entry.priority(case.server)
    if here is None or there is None:
        return FAILS  # a server that is in no list: not ours to judge
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


def goes_back(case: Case) -> Ground:
    """B2-B6: the request goes upward, and is not left over from the move down: one dialled while the line moved may
    still leave for the old server just as the 200 arrives."""
    return FAILS if may_have_crossed(case, case.stay.arrived) else higher_server(case)


def is_new_here(case: Case) -> Ground:
    """B2-B4 concern new requests. A call that has waited in vain at a higher server since before the line came to its
    working server goes on to the next in order (F1); no source says whether that is a return. Its Call-ID identifies it
    (RFC 3263 4.3): dialling the same number again makes a new call."""
    entry, request = case.profile.entry, case.request
    there = None if entry is None else entry.priority(request.server)
    if entry is None or there is None or request.method != "INVITE":
        return HOLDS
    above = [case.phone.reach(server.key) for server in entry.servers if server.priority < there]
    goes_on = any(one.call_id == request.call_id != "" and one.time <= case.stay.arrived.time
                  for reach in above for one in reach.unsettled)
    return Ground(reason=Reason.READINGS_DIFFER) if goes_on else HOLDS


def lower_server(case: Case) -> Ground:
    """F1: the request goes downward, as failover does. A wrap from the last server to the head looks like a return, and
    is judged as one."""
    ranks = _ranks(case)
    return holds_if(ranks is None or ranks[1] > ranks[0])


def several_servers(case: Case) -> Ground:
    """The entry has several servers; with one address there is nothing to judge (reference-model.md 1, *server
    entry*)."""
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
    """B7: the request goes to the server of best priority."""
    return holds_if(case.request.server == primary_key(case))


def below_primary(case: Case) -> Ground:
    """B1-B4: the packet's server is in the entry and ranks below its primary."""
    entry = case.profile.entry
    if entry is None:
        return Ground(reason=Reason.ENTRY_UNKNOWN)
    there = entry.priority(case.server)
    if there is None:
        return FAILS
    primary = entry.primary
    if primary is None:
        return Ground(reason=Reason.LOAD_BALANCED)
    return Ground(facts={"primary": primary.key}) if there > primary.priority else FAILS


def list_unchanged(case: Case) -> Ground:
    """B2-B5: no DNS answer has changed the server list since the move; a change may rightly put another server
    first."""
    first = case.stay.first
    return _unchanged_since(inf if first is None else first.time, case)


def order_unchanged(case: Case) -> Ground:
    """No DNS answer has changed the server list since the working server first answered, whether or not the move there
    was seen (F1)."""
    return _unchanged_since(case.stay.arrived.time, case)


def _unchanged_since(time: float, case: Case) -> Ground:
    """A change before that time has led the line here, and lasts. But if the declared addresses are in another order
    than in DNS, or than the phone was given, it is not known which order the phone follows from then on."""
    changed = case.line.reordered
    if changed is None:
        return HOLDS
    if changed.time >= time:
        return FAILS
    return Ground(reason=Reason.ENTRY_UNKNOWN) if changed.turned or case.profile.list_in_doubt else HOLDS


def no_equal_failed(case: Case) -> Ground:
    """F1: no other server of the working server's priority may have failed: such a server is as good, and its failure
    may have sent the line away."""
    entry, now = case.profile.entry, case.now
    here = entry.priority(case.stay.server) if entry else None
    equals = [server.key for server in entry.servers
              if server.priority == here and server.key != case.stay.server] if entry else []
    blamed = any(speaks_against(case.phone.reach(key), now, 0.0) for key in equals)
    return Ground(reason=Reason.LOAD_BALANCED) if blamed else HOLDS


def one_head(case: Case) -> Ground:
    """The entry has a single first server. If several are equally first, the load is balanced, and no source says which
    is next (F1)."""
    entry = case.profile.entry
    if entry is None or entry.primary is not None:
        return HOLDS
    return Ground(reason=Reason.LOAD_BALANCED)


def all_resolved(case: Case) -> Ground:
    """F2: every server's address is known, and the list is certain. A server of unknown address may be any that the
    phone contacts, and a phone with another list need not know another server at all."""
    entry = case.profile.entry
    known = entry is None or all(server.address is not None for server in entry.servers)
    return HOLDS if known and not case.profile.list_in_doubt else Ground(reason=Reason.ENTRY_UNKNOWN)


def between_untouched(case: Case) -> Ground:
    """F1: between the server left and this one is a server that the phone has no evidence against and has not contacted
    since the failure. This holds only on the way down: a line that goes up past the head may try a server between (F11,
    B8)."""
    ranks, entry = _ranks(case), case.profile.entry
    if ranks is None or entry is None:
        return HOLDS  # the servers are not known, as `same_entry` says
    against = evidence(case.phone.reach(case.stay.server), case.now, 0.0)
    # a request that failed before the line was here says nothing about this failure
    since = max(min((asked_at(item) for item in against), default=case.now), case.stay.arrived.time)
    skipped = FAILS
    for server in entry.servers:
        # a name that has not been resolved cannot be tried
        if ranks[0] < server.priority < ranks[1] and server.address is not None and _fit(case, server.key, since):
            skipped = _passed_over(case, entry, server)
            if skipped.reason is None:
                break
    return skipped


def _fit(case: Case, key: str, since: float) -> bool:
    """Whether the phone has no evidence against the server, and has not contacted it since the failure began."""
    reach = case.phone.reach(key)
    return not reach.waiting and reach.touched < since \
        and not speaks_against(reach, case.now, case.profile.earliest_silence, closes=False)


def _has_served(case: Case, key: str) -> bool:
    """Whether the server was seen to serve the line, which disproves older evidence (reference-model.md 1, *failure*).
    """
    binding, served = case.line.binding(key), case.line.served
    return (binding is not None and binding.granted is not None) or (served is not None and served.server == key)


def _passed_over(case: Case, entry: ServerEntry, server: EntryServer) -> Ground:
    facts: dict[str, Fact] = {"skipped": server.key}
    if sum(other.priority == server.priority for other in entry.servers) > 1:
        return Ground(reason=Reason.LOAD_BALANCED, facts=facts)  # one of several equals, any of which may be tried
    if not _has_served(case, server.key) and in_mid_life(case):
        return Ground(reason=Reason.STARTED_LATER, facts=facts)  # it may have failed before the capture began
    return Ground(facts=facts, elsewhere=(server.key,))
