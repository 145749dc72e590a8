"""The table of `sipaudit phones`: phones, their lines, where each works and what it has registered."""

from __future__ import annotations

from datetime import tzinfo

from sipaudit.model.values import LineSummary, Registration, Report
from sipaudit.report.screen import Screen
from sipaudit.times import TimeStyle, format_time, parse_zone


def render(report: Report, zone: str, width: int, color: bool) -> str:
    """All lines with their phone, working server and live registrations; times in `zone`."""
    screen, clock = Screen(width, color), parse_zone(zone)
    phones = len({line.phone for line in report.lines})
    last = max((capture.last for capture in report.captures if capture.last is not None), default=None)
    when = "" if last is None else f" at {format_time(last, clock, TimeStyle.FULL)}"
    screen.say(f"{phones} phones, {len(report.lines)} lines{when}")
    screen.title("Lines")
    columns = ("phone", "line", "model", "firmware", "entry", "works with", "registered", "calls", "moves", "last seen")
    screen.table(columns, [_row(line, clock) for line in report.lines], right=frozenset({"calls", "moves"}))
    return screen.text()


def _row(line: LineSummary, clock: tzinfo) -> tuple[object, ...]:
    live = [row for row in line.registrations if row.end is None]
    registered = "; ".join(_registration(row, clock) for row in live) or None
    return (line.phone, line.line, line.model or line.user_agent, line.firmware, line.entry, line.working, registered,
            line.calls, len(line.moves), format_time(line.last, clock, TimeStyle.CLOCK))


def _registration(row: Registration, clock: tzinfo) -> str:
    until = "without end" if row.until is None else f"until {format_time(row.until, clock, TimeStyle.CLOCK)}"
    return f"{row.server} {until}"
