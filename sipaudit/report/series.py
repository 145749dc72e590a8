"""Selects the incidents to describe, the gravest first. Repeated incidents of one kind at one place are described as
one: that leaves room for others, and shows the pattern."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import inf

from msgspec.structs import replace

from sipaudit.incidents.chronicle import UNSEEN
from sipaudit.incidents.course import too_late
from sipaudit.incidents.metrics import percentile
from sipaudit.incidents.outage import OUTAGE
from sipaudit.model.values import Happening, Incident
from sipaudit.report.incident_words import SAID, Words
from sipaudit.report.manners import MANNERS, entry_of, heading, lateness, shown_by, tells
from sipaudit.report.screen import count_of, counts_by_name

AGAIN = 3   # least number of incidents that are described as one
OVERLOAD = "overload"
WIDER = 2        # an overload has at least so many times the lines of an outage that is a part of it
AT_ONCE = 1.0    # seconds by which its first 503 may come after the refused request
SOON = 600.0   # seconds between the end of one and the start of the next
SUMMED = ("lines_moved", "calls_lost", "calls_failed", "emergency_failed", "responses_503")
GREATEST = ("register_rate_median", "register_rate_peak")

Told = tuple[Incident, Sequence[Incident]]   # one incident, or several combined into one; and those that it stands for


def gravest(incidents: Iterable[Incident], count: int) -> list[Incident]:
    """The `count` gravest incidents, ranked by kind, then size, then time; the result is sorted by kind and time. An
    outage that is a part of an overload ranks just below it: that the server is overloaded is graver than that it
    refuses everybody for a moment."""
    known = list(incidents)
    ranks = {kind: place for place, kind in enumerate(SAID)}
    overloads = [one for one in known if one.kind == OVERLOAD]
    rank = {id(one): ranks[OVERLOAD] + 0.5 if _is_part(one, overloads) else ranks.get(one.kind, len(ranks))
            for one in known}
    chosen = sorted(known, key=lambda one: (rank[id(one)], -len(one.lines), one.start))[:count]
    return sorted(chosen, key=lambda one: (rank[id(one)], one.start))


def _is_part(incident: Incident, overloads: Iterable[Incident]) -> bool:
    """Whether the incident is an outage shown by 503 alone, within the time of an overload of the same server that
    reached at least WIDER times as many lines."""
    return incident.kind == OUTAGE and shown_by(incident) == {"503"} and any(
        one.server == incident.server and len(one.lines) >= WIDER * len(incident.lines)
        and one.start - AT_ONCE <= incident.start and (incident.end or inf) <= (one.end or inf) for one in overloads)


def others(incidents: Iterable[Incident]) -> str:
    """`12 more incidents: 10 register-storm, 2 flapping.`"""
    kinds = Counter(incident.kind for incident in incidents)
    return f"{count_of(kinds.total(), 'more incident')}: {counts_by_name(kinds)}."


def told_in_full(incidents: Iterable[Incident], count: int) -> tuple[list[Told], list[Incident]]:
    """The `count` gravest incidents, where repeated ones count as one; and all others."""
    units = {id(whole): (whole, members) for whole, members in map(_unit, _runs(incidents))}
    wholes = [whole for whole, _ in units.values()]
    told = gravest(wholes, count)
    rest = [one for whole in _without(wholes, told) for one in units[id(whole)][1]]
    return [units[id(whole)] for whole in told], gravest(rest, len(rest))


def shown_in_full(incidents: Iterable[Incident], count: int) -> tuple[list[Incident], list[Incident]]:
    """The incidents to show one by one, and all others. The first are the gravest of each that `told_in_full` selects,
    then the gravest of the rest, `count` in all."""
    known = list(incidents)
    told = [one for _, members in told_in_full(known, count)[0] for one in gravest(members, 1)]
    told += gravest(_without(known, told), count - len(told))
    return gravest(told, count), _without(known, told)


def _without(incidents: Iterable[Incident], some: Iterable[Incident]) -> list[Incident]:
    which = set(map(id, some))
    return [one for one in incidents if id(one) not in which]


def _runs(incidents: Iterable[Incident]) -> Iterator[list[Incident]]:
    """Groups of at least AGAIN incidents of one kind, manner and place, each at most SOON seconds after the one before;
    all others singly. An incident without an end is the last of its group: with several runs in a store, others may
    follow it."""
    runs: dict[tuple[str, str | None, str | None], list[list[Incident]]] = {}
    for incident in sorted(incidents, key=lambda one: one.start):
        known = runs.setdefault((heading(incident, incident.kind), incident.server, incident.entry), [])
        ended = known[-1][-1].end if known else None
        if ended is not None and incident.start - ended <= SOON:
            known[-1].append(incident)
        else:
            known.append([incident])
    for run in (run for of_place in runs.values() for run in of_place):
        yield from [run] if len(run) >= AGAIN else [[one] for one in run]


def _unit(members: Sequence[Incident]) -> Told:
    return (members[0] if len(members) == 1 else _whole(members)), members


def told_as(words: Words, told: Told) -> str:
    """The sentences for one incident, or for several described as one."""
    whole, members = told
    if len(members) == 1:
        return " ".join(words.of(whole))
    left = (sentence for one in members for sentence in words.nobody_left(one))
    return " ".join([*words.over(members).of(whole), *list(left)[:1]])


def _whole(members: Sequence[Incident]) -> Incident:
    """Several incidents combined into one: what they have in common, the lines of all, and sums or maxima of their
    metrics."""
    metrics = dict.fromkeys(members[0].metrics)
    for names, taken in ((SUMMED, sum), (GREATEST, max)):
        for name in names:
            known = [value for one in members if (value := one.metrics.get(name)) is not None]
            metrics[name] = taken(known) if known else None
    return replace(
        members[0], id="", start=min(one.start for one in members), metrics=metrics, groups=[],
        end=None if members[-1].end is None else max(one.end or one.start for one in members),
        lines=_lines_of(members), phones=max(one.phones for one in members),
        evidence=[frame for one in members for frame in one.evidence], timeline=_shared(members))


def _lines_of(members: Sequence[Incident]) -> list[str]:
    """The lines of all incidents; an AOR of several phones is listed as often as in the incident that has it most."""
    lines: Counter[str] = Counter()
    for one in members:
        lines |= Counter(one.lines)
    return sorted(lines.elements())


def _shared(members: Sequence[Incident]) -> list[Happening]:
    """The timeline entries that say how the server failed, if they are true of all; and the first one of servers of
    which the captures show nothing."""
    first = members[0]
    kept = [entry for manner in MANNERS if (entry := entry_of(first, manner)) is not None
            and all(tells(one, manner) for one in members)]
    late = [seconds for one in members if (seconds := lateness(one)) is not None]
    if len(late) == len(members):
        kept.append(Happening(first.start, too_late(first.server, percentile(late, 50) or 0.0)))
    unseen = [entry for one in members for entry in one.timeline if entry.what.startswith(UNSEEN)]
    return [*kept, *unseen[:1]]
