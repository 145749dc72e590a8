"""The table of `sipaudit phones`: phones, their lines, where each works and what it has registered."""

from __future__ import annotations

from datetime import tzinfo

from sipaudit.model.values import LineSummary, Registration, Report
from sipaudit.report.screen import Screen, brief
from sipaudit.times import TimeStyle, format_time, parse_zone


def render(report: Report, zone: str, width: int, color: bool) -> str:
    """All lines with their phone, working server and live registrations; times in `zone`."""
    screen, clock = Screen(width, color), parse_zone(zone)
    phones = len({line.phone for line in report.lines})
    last = max((capture.last for capture in report.captures if capture.last is not None), default=None)
    when = "" if last is None else f" at {format_time(last, clock, TimeStyle.FULL)}"
    screen.say(f"{phones} phones, {len(report.lines)} lines{when}")
    screen.title("Lines")
    columns = ("phone", "line", "model", "firmware", "entry", "works with", "registered until", "calls", "moves",
               "last seen")
    screen.table(columns, [_row(line, clock) for line in report.lines], right=frozenset({"calls", "moves"}))
    return screen.text()


def _row(line: LineSummary, clock: tzinfo) -> tuple[object, ...]:
    live = [row for row in line.registrations if row.end is None]
    registered = ", ".join(_registration(row, clock) for row in live) or None
    return (brief(line.phone), brief(line.line), line.model or line.user_agent, line.firmware, line.entry,
            line.working and brief(line.working), registered, line.calls, len(line.moves), _clock(line.last, clock))


def _registration(row: Registration, clock: tzinfo) -> str:
    return f"{brief(row.server)} {'without end' if row.until is None else _clock(row.until, clock)}"


def _clock(time: float, clock: tzinfo) -> str:
    """To the second: a table of registrations is read, not measured."""
    return format_time(time, clock, TimeStyle.CLOCK)[:8]
