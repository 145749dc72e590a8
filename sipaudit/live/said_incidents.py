"""Incidents as they are said: opened, grown, closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.incidents.draft import EVIDENCE_KEPT, HAPPENINGS_KEPT, Draft
from sipaudit.model.sayings import IncidentSaid, Saying, Withdrawn
from sipaudit.model.values import Incident
from sipaudit.turned_away import forget_oldest

AGAIN_AFTER = 10.0   # seconds between two sayings of an incident that merely grew
FOLLOWED = 2_000     # the latest incidents of which more may be said
WAITED_FOR = 600.0   # seconds that an incident of an earlier run may take to show that it goes on
EXPLAINED = "explained-since"


class Told(Struct):
    """What was said of an incident `at` that time, and the draft that it was made of; `before` is what another run saw
    of it that this one does not."""

    draft: Draft
    said: Incident
    at: float
    before: Incident | None = None


class SaidIncidents:
    """Follows the incidents. Some drafts grow, others are made anew each time: those are the same that overlap."""

    def __init__(self) -> None:
        self.count = 0
        self._told: dict[str, Told] = {}
        self._before: dict[str, Incident] = {}
        self._given_up_at: float | None = None

    def said_before(self, incident: Incident) -> None:
        """Another run said this, later than what we know of it."""
        self.count = max(self.count, int(incident.id.rpartition("-")[2]))
        told = self._told.get(incident.id)
        if told is None:
            self._before[incident.id] = incident
            forget_oldest(self._before, FOLLOWED, "said")
        else:
            told.said = incident

    def begins_anew(self) -> None:
        """What another run saw will not be seen again."""
        for told in self._told.values():
            if told.said.end is None:
                told.before = told.said

    def withdrawn_before(self, name: str) -> None:
        """Another run took this back."""
        self._before.pop(name, None)
        self._told.pop(name, None)

    def name(self, now: float, incidents: Sequence[tuple[Draft, Incident]]) -> list[str]:
        """The names under which these were said before, or new ones. What another run said is as if said `now`."""
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
        """What is to be said of the incidents as they stand at `now`; those that ended before `since` are forgotten.
        `at_last`: nothing will be said later."""
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
        """The clock was set back: what was said is of another time."""
        self._given_up_at = None
        for told in self._told.values():
            told.at = float("-inf")

    def stand(self, now: float) -> Iterator[Saying]:
        """Incidents as they were said last, those of an earlier run among them."""
        said = [*self._before.values(), *(told.said for told in self._told.values())]
        yield from (IncidentSaid(now, incident) for incident in said)

    def _give_up(self, now: float) -> Iterator[Saying]:
        """What another run had seen open, and of which nothing more was seen for a while, ended while nobody listened.
        """
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
    """One incident of what two runs saw of it; of each number the larger, since both may have counted the same."""
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
