"""Incidents as they are said: opened, grown, closed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.incidents.draft import Draft
from sipaudit.model.sayings import IncidentSaid, Saying, Withdrawn
from sipaudit.model.values import Incident

AGAIN_AFTER = 10.0   # seconds between two sayings of an incident that merely grew
FOLLOWED = 2_000     # the latest incidents of which more may be said
EXPLAINED = "explained-since"


class Told(Struct):
    """What was said of an incident `at` that time, and the draft that it was made of."""

    draft: Draft
    said: Incident
    at: float


class SaidIncidents:
    """Follows the incidents. Some drafts grow, others are made anew each time: those are the same that overlap."""

    def __init__(self) -> None:
        self.count = 0
        self._told: dict[str, Told] = {}

    def name(self, incidents: Sequence[tuple[Draft, Incident]]) -> list[str]:
        """The names under which these were said before, or new ones."""
        by_draft = {id(told.draft): name for name, told in self._told.items()}
        names = [by_draft.get(id(draft)) for draft, _ in incidents]
        rest = {name: told for name, told in self._told.items() if name not in names}
        return [name or self._found(incident, rest) for name, (_, incident) in zip(names, incidents, strict=True)]

    def _found(self, incident: Incident, rest: dict[str, Told]) -> str:
        for name, told in rest.items():
            if _overlap(told.said, incident):
                del rest[name]
                return name
        self.count += 1
        return f"i-{self.count:04d}"

    def turn(self, now: float, named: Sequence[tuple[str, Draft, Incident]], since: float) -> Iterator[Saying]:
        """What is to be said of the incidents as they stand at `now`; those that ended before `since` are forgotten."""
        for name, draft, incident in named:
            told = self._told.get(name)
            stands = replace(incident, id=name)
            if told is None or self._differs(now, told, stands):
                self._told[name] = Told(draft, stands, now)
                yield IncidentSaid(now, stands)
            else:
                told.draft = draft
        for name in self._told.keys() - {name for name, _, _ in named}:
            end = self._told.pop(name).said.end
            if end is None or end >= since:
                yield Withdrawn(now, name, EXPLAINED)
        while len(self._told) > FOLLOWED:
            del self._told[next(iter(self._told))]

    def _differs(self, now: float, told: Told, incident: Incident) -> bool:
        said = told.said
        if said == incident:
            return False
        return (said.state, said.kind) != (incident.state, incident.kind) or now - told.at >= AGAIN_AFTER


def _overlap(said: Incident, incident: Incident) -> bool:
    same = (said.kind, said.server, said.entry) == (incident.kind, incident.server, incident.entry)
    infinite = float("inf")
    return same and said.start <= (incident.end or infinite) and incident.start <= (said.end or infinite)
