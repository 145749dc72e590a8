"""Turns a whole report into the sayings of a probe that had captured the same."""

from __future__ import annotations

from collections.abc import Iterator

from sipaudit.model.sayings import (
    CallSaid,
    CaptureSaid,
    EventSaid,
    FindingSaid,
    IncidentSaid,
    LineSaid,
    MinuteSaid,
    MoveSaid,
    NoteSaid,
    ReachedSaid,
    RegistrationSaid,
    Saying,
    ServerSaid,
    TrySaid,
    UndecidedSaid,
)
from sipaudit.model.values import LineSummary, Report


def tell(report: Report) -> Iterator[Saying]:
    """The sayings for everything in the report. Each has the time of its subject, or where that has none the time of
    the last packet (servers: of the first)."""
    first, last = span(report)
    yield from (CaptureSaid(last if capture.last is None else capture.last, capture) for capture in report.captures)
    yield from (ServerSaid(first, server) for server in report.servers)
    for line in report.lines:
        yield from _line(line)
    yield from (FindingSaid(last if finding.time is None else finding.time, finding) for finding in report.findings)
    yield from (IncidentSaid(last if incident.end is None else incident.end, incident)
                for incident in report.incidents)
    yield from (UndecidedSaid(last, one) for one in report.inconclusive)
    yield from (ReachedSaid(last, one) for one in report.reached)
    yield from (MinuteSaid(minute.time, minute) for minute in report.minutes)
    yield from (EventSaid(last, event) for event in report.events)
    yield from (NoteSaid(last, note) for note in report.notes)


def span(report: Report) -> tuple[float, float]:
    """The times of the first and the last packet of a report's captures, in seconds since the epoch; 0 without any."""
    times = [time for capture in report.captures for time in capture.ends]
    return min(times, default=0.0), max(times, default=0.0)


def _line(line: LineSummary) -> Iterator[Saying]:
    yield LineSaid(line.last, line)
    yield from (MoveSaid(move.time, line.line, line.phone, move) for move in line.moves)
    yield from (TrySaid(tried.time, line.line, line.phone, tried) for tried in line.tries)
    yield from (RegistrationSaid(row.from_, line.line, line.phone, row) for row in line.registrations)
    yield from (CallSaid(line.last, line.line, line.phone, call) for call in line.call_spans)
