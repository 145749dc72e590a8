"""The incidents of two runs side by side: whether an outage is noticed sooner after a change, and costs fewer calls.

Nothing identifies an incident across runs, so incidents are grouped by kind and place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from sipaudit.model.values import Incident, Report
from sipaudit.report.by_key import by_key
from sipaudit.report.names import name_of
from sipaudit.report.screen import Screen, brief
from sipaudit.report.when import lasting

NUMBERS = ("count", "lines", "moved in", "at most", "calls lost", "failed")   # moved: median, as in the verdict
SHOWN = 50


class Cost(Struct, frozen=True):
    """The incidents of one run of one kind at one place: how many, the most lines of one, the longest of their times
    (seconds), and the total of what was lost. A value is None if no incident has it."""

    incidents: int
    lines: int
    time_to_detect_p50: float | None
    time_to_detect_max: float | None
    time_to_recover_p50: float | None
    time_to_recover_max: float | None
    registrations_lost: int | None
    calls_lost: int | None
    calls_failed: int | None


class ComparedIncidents(Struct, frozen=True):
    """One kind of incident at one server, or entry, in both runs; `name` is the server's."""

    kind: str
    server: str | None
    name: str | None
    entry: str | None
    before: Cost
    after: Cost


def compare_incidents(before: Report, after: Report) -> list[ComparedIncidents]:
    """One comparison for each kind and place with incidents in either run, sorted by them."""
    old, new = (by_key(((one.kind, one.server, one.entry), one) for one in report.incidents)
                for report in (before, after))
    return [ComparedIncidents(kind, server, name_of(server, after) or name_of(server, before), entry,
                              _cost(old.get((kind, server, entry), [])), _cost(new.get((kind, server, entry), [])))
            for kind, server, entry in sorted({*old, *new}, key=lambda place: tuple(part or "" for part in place))]


def _cost(incidents: list[Incident]) -> Cost:
    def worst(metric: str) -> float | None:
        return max(_values(incidents, metric), default=None)

    def in_all(metric: str) -> int | None:
        values = list(_values(incidents, metric))
        return int(sum(values)) if values else None

    return Cost(
        len(incidents), max((len(incident.lines) for incident in incidents), default=0),
        worst("time_to_detect_p50"), worst("time_to_detect_max"), worst("time_to_recover_p50"),
        worst("time_to_recover_max"), in_all("registrations_lost"), in_all("calls_lost"), in_all("calls_failed"))


def _values(incidents: Iterable[Incident], metric: str) -> Iterator[float]:
    for incident in incidents:
        value = incident.metrics.get(metric)
        if value is not None:
            yield value


def show(screen: Screen, compared: list[ComparedIncidents]) -> None:
    """Two rows for each place, before and after."""
    if not compared:
        return
    screen.title("Incidents")
    screen.table(
        ("kind", "where", "run", *NUMBERS), [row for one in compared[:SHOWN] for row in _rows(one)],
        right=frozenset(NUMBERS), least=("lines", "calls lost", "failed", "where"))
    screen.more(len(compared) - SHOWN, "place")


def _rows(one: ComparedIncidents) -> Iterator[tuple[object, ...]]:
    where = one.name or (one.entry if one.server is None else brief(one.server))
    for name, cost in (("before", one.before), ("after", one.after)):
        yield (one.kind, where, name, cost.incidents, cost.lines, _seconds(cost.time_to_recover_p50),
               _seconds(cost.time_to_recover_max), cost.calls_lost, cost.calls_failed)


def _seconds(value: float | None) -> str | None:
    return None if value is None else lasting(value)
