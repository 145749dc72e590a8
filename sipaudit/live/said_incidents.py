"""Says incidents: when they open, grow, close, or are withdrawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.incidents.draft import EVIDENCE_KEPT, HAPPENINGS_KEPT, Draft
from sipaudit.model.sayings import IncidentSaid, Saying, Withdrawn
from sipaudit.model.values import Incident
from sipaudit.turned_away import forget_oldest

AGAIN_AFTER = 10.0   # seconds between two sayings of an incident that merely grew
FOLLOWED = 2_000     # the latest incidents that may be said again
WAITED_FOR = 600.0   # seconds within which an incident of an earlier run must show that it goes on
EXPLAINED = "explained-since"


class Told(Struct):
    """An incident as last `said`, at the time `at`, and the draft it was made of; `before` is the part of it that only
    another run saw."""

    draft: Draft
    said: Incident
    at: float
    before: Incident | None = None


class SaidIncidents:
    """Follows the incidents. Some drafts grow, others are made anew each time: of these, a draft that overlaps an
    incident of the same kind and place is the same incident."""

    def __init__(self) -> None:
        self.count = 0
        self._told: dict[str, Told] = {}
        self._before: dict[str, Incident] = {}
        self._given_up_at: float | None = None

    def said_before(self, incident: Incident) -> None:
        """Note an incident that another run said after the checkpoint."""
        self.count = max(self.count, int(incident.id.rpartition("-")[2]))
        told = self._told.get(incident.id)
        if told is None:
            self._before[incident.id] = incident
            forget_oldest(self._before, FOLLOWED, "said")
        else:
            told.said = incident

    def begins_anew(self) -> None:
        """The view begins anew: keep what another run saw of open incidents, since it will not be seen again."""
        for told in self._told.values():
            if told.said.end is None:
                told.before = told.said

    def withdrawn_before(self, name: str) -> None:
        """Note that another run withdrew the incident of this id."""
        self._before.pop(name, None)
        self._told.pop(name, None)

    def name(self, now: float, incidents: Sequence[tuple[Draft, Incident]]) -> list[str]:
        """The ids under which these incidents were said before, or new ones. An incident of another run counts as said
        `now`."""
        by_draft = {id(told.draft): name for name, told in self._told.items()}
        names = [by_draft.get(id(draft)) for draft, _ in incidents]
        found = set(names)
        rest = {name: told for name, told in self._told.items() if name not in found}
        return [name or self._found(now, draft, incident, rest)
                for name, (draft, incident) in zip(names, incidents, strict=True)]

    def _found(self, now: float, draft: Draft, incident: Incident, rest: dict[str, Told]) -> str:
        for name, told in rest.items():
            if _overlap(told.said, incident):
                del rest[name]
                return name
        for name, said in self._before.items():
            if _overlap(said, incident):
                del self._before[name]
                self._told[name] = Told(draft, said, now, said if said.start < incident.start else None)
                return name
        self.count += 1
        return f"i-{self.count:04d}"

    def turn(self, now: float, named: Sequence[tuple[str, Draft, Incident]], since: float,
             *, at_last: bool = False) -> Iterator[Saying]:
        """The sayings due at `now` for the incidents as they stand; an incident that is missing is withdrawn, unless it
        ended before `since`, when the route forgot it. `at_last`: nothing will be said later."""
        for name, draft, incident in named:
            told = self._told.get(name)
            before = None if told is None else told.before
            stands = replace(incident if before is None else _joined(before, incident), id=name)
            if told is None or self._differs(told, stands, at_last or now - told.at >= AGAIN_AFTER):
                self._told[name] = Told(draft, stands, now, before)
                yield IncidentSaid(now, stands)
            else:
                told.draft = draft
        for name in self._told.keys() - {name for name, _, _ in named}:
            end = self._told.pop(name).said.end
            if end is None or end >= since:
                yield Withdrawn(now, name, EXPLAINED)
        yield from self._give_up(now)
        forget_oldest(self._told, FOLLOWED, "said")

    def set_back(self) -> None:
        """The clock was set back: earlier times of saying no longer count."""
        self._given_up_at = None
        for told in self._told.values():
            told.at = float("-inf")

    def stand(self, now: float) -> Iterator[Saying]:
        """The incidents as last said, including those of an earlier run."""
        said = [*self._before.values(), *(told.said for told in self._told.values())]
        yield from (IncidentSaid(now, incident) for incident in said)

    def _give_up(self, now: float) -> Iterator[Saying]:
        """Close incidents that another run saw open and that did not show again: they ended while nobody listened."""
        if not self._before:
            return
        if self._given_up_at is None:
            self._given_up_at = now + WAITED_FOR
        elif now >= self._given_up_at:
            for incident in self._before.values():
                if incident.end is None:
                    last = max((one.time for one in incident.timeline), default=incident.start)
                    yield IncidentSaid(now, replace(incident, state="closed", end=last))
            self._before.clear()

    def _differs(self, told: Told, incident: Incident, again: bool) -> bool:
        said = told.said
        return said != incident and (again or (said.state, said.kind) != (incident.state, incident.kind))


def _joined(before: Incident, incident: Incident) -> Incident:
    """Merge what two runs saw of one incident; of each number the larger, since both may have counted the same."""
    metrics = dict(incident.metrics)
    for name, value in before.metrics.items():
        metrics[name] = max((one for one in (value, metrics.get(name)) if one is not None), default=None)
    evidence = before.evidence + [frame for frame in incident.evidence if frame not in before.evidence]
    return replace(
        incident, start=min(before.start, incident.start), lines=sorted({*before.lines, *incident.lines}),
        phones=max(before.phones, incident.phones), groups=incident.groups or before.groups,
        findings=list(dict.fromkeys([*before.findings, *incident.findings])), metrics=metrics,
        evidence=evidence[:EVIDENCE_KEPT],
        timeline=sorted({*before.timeline, *incident.timeline}, key=lambda one: one.time)[:HAPPENINGS_KEPT])


def _overlap(said: Incident, incident: Incident) -> bool:
    same = (said.kind, said.server, said.entry) == (incident.kind, incident.server, incident.entry)
    infinite = float("inf")
    return same and said.start <= (incident.end or infinite) and incident.start <= (said.end or infinite)
