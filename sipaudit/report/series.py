"""Which incidents are told, the gravest first. Those of one kind that came again and again at one place are told as
one: that leaves room for what else happened, and shows the pattern."""

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

AGAIN = 3   # incidents of one kind at one place that are told as one
OVERLOAD = "overload"
WIDER = 2        # times as many lines as an outage that is a part of it
AT_ONCE = 1.0    # seconds by which its first 503 may come after the request that was refused
SOON = 600.0   # seconds between the end of one and the start of the next
SUMMED = ("lines_moved", "calls_lost", "calls_failed", "emergency_failed", "responses_503")
GREATEST = ("register_rate_median", "register_rate_peak")

Told = tuple[Incident, Sequence[Incident]]   # an incident, or what several have in common, and these


def gravest(incidents: Iterable[Incident], count: int) -> list[Incident]:
    """So many of them: kind before size, size before time. Those chosen stand by kind and time. Of a server that is
    overloaded, and refuses everybody for a moment, it is graver that it is overloaded."""
    known = list(incidents)
    ranks = {kind: place for place, kind in enumerate(SAID)}
    overloads = [one for one in known if one.kind == OVERLOAD]
    rank = {id(one): ranks[OVERLOAD] + 0.5 if _is_part(one, overloads) else ranks.get(one.kind, len(ranks))
            for one in known}
    chosen = sorted(known, key=lambda one: (rank[id(one)], -len(one.lines), one.start))[:count]
    return sorted(chosen, key=lambda one: (rank[id(one)], one.start))


def _is_part(incident: Incident, overloads: Iterable[Incident]) -> bool:
    """Whether this is an outage by 503 alone that an overload of the server reaches beyond, in time and in lines."""
    return incident.kind == OUTAGE and shown_by(incident) == {"503"} and any(
        one.server == incident.server and len(one.lines) >= WIDER * len(incident.lines)
        and one.start - AT_ONCE <= incident.start and (incident.end or inf) <= (one.end or inf) for one in overloads)


def others(incidents: Iterable[Incident]) -> str:
    """`12 more incidents: 10 register-storm, 2 flapping.`"""
    kinds = Counter(incident.kind for incident in incidents)
    return f"{count_of(kinds.total(), 'more incident')}: {counts_by_name(kinds)}."


def told_in_full(incidents: Iterable[Incident], count: int) -> tuple[list[Told], list[Incident]]:
    """The gravest, which are told, those that came again and again as one; and all others."""
    units = {id(whole): (whole, members) for whole, members in map(_unit, _runs(incidents))}
    wholes = [whole for whole, _ in units.values()]
    told = gravest(wholes, count)
    rest = [one for whole in _without(wholes, told) for one in units[id(whole)][1]]
    return [units[id(whole)] for whole in told], gravest(rest, len(rest))


def shown_in_full(incidents: Iterable[Incident], count: int) -> tuple[list[Incident], list[Incident]]:
    """Which are shown one by one, of each that is told the gravest, and which are not."""
    known = list(incidents)
    told = [one for _, members in told_in_full(known, count)[0] for one in gravest(members, 1)]
    told += gravest(_without(known, told), count - len(told))
    return gravest(told, count), _without(known, told)


def _without(incidents: Iterable[Incident], some: Iterable[Incident]) -> list[Incident]:
    which = set(map(id, some))
    return [one for one in incidents if id(one) not in which]


def _runs(incidents: Iterable[Incident]) -> Iterator[list[Incident]]:
    """Those of one kind at one place, and of one manner, that follow each other soon, where they are several; all
    others one by one. What follows one of which no end is known, as in a store with several runs, does not: only the
    last may be open."""
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
    """An incident in sentences, or several as one."""
    whole, members = told
    if len(members) == 1:
        return " ".join(words.of(whole))
    left = (sentence for one in members for sentence in words.nobody_left(one))
    return " ".join([*words.over(members).of(whole), *list(left)[:1]])


def _whole(members: Sequence[Incident]) -> Incident:
    """What several incidents have in common, the lines of all of them, and what they come to."""
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
    """An AOR that several phones have as often as in the incident that reached most of them."""
    lines: Counter[str] = Counter()
    for one in members:
        lines |= Counter(one.lines)
    return sorted(lines.elements())


def _shared(members: Sequence[Incident]) -> list[Happening]:
    """Of their timelines what says how the server failed, where it holds for all of them."""
    first = members[0]
    kept = [entry for manner in MANNERS if (entry := entry_of(first, manner)) is not None
            and all(tells(one, manner) for one in members)]
    late = [seconds for one in members if (seconds := lateness(one)) is not None]
    if len(late) == len(members):
        kept.append(Happening(first.start, too_late(first.server, percentile(late, 50) or 0.0)))
    unseen = [entry for one in members for entry in one.timeline if entry.what.startswith(UNSEEN)]
    return [*kept, *unseen[:1]]
