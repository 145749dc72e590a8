"""The tables of `sipaudit phones`: phones and lines, where each works, its settings, registrations and moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo

from sipaudit.model.values import LineSummary, Registration, Report
from sipaudit.report.names import short_names
from sipaudit.report.nothing_seen import nobody
from sipaudit.report.screen import Screen, brief, count_of
from sipaudit.report.table import live_registrations
from sipaudit.report.when import TimeText, when_of
from sipaudit.times import TimeStyle, format_time, zone_name

MOVES_SHOWN = 200


def render(report: Report, clock: tzinfo, width: int, color: bool, at: str | None = None) -> str:
    """All lines with phone, working server and live registrations, at `at` (as the user gave it) or at the end; times
    by `clock`."""
    screen, called = Screen(width, color), _called(report)
    phones, domain = len({line.phone for line in report.lines}), _domain(report.lines)
    last = max((capture.last for capture in report.captures if capture.last is not None), default=None)
    read = "" if last is None else f"{format_time(last, clock, TimeStyle.FULL)} {zone_name(last, clock)}"
    when = f" at {at}; the last packet read is of {read or 'no time'}" if at else (
        read and f" at {read}, the last packet read")
    screen.say(f"{count_of(phones, 'phone')}, {count_of(len(report.lines), 'line')}{when}"
               f"{f'; all lines are of {domain}' if domain else ''}")
    for sentence in nobody(report):
        screen.say(sentence)
    if report.lines:
        screen.title("Lines")
    columns = ("phone", "line", "model", "firmware", "entry", "works with", "registered until", "calls", "moves",
               "last seen")
    told = when_of(report, clock)
    rows = [_row(line, domain, called, told) for line in report.lines]
    screen.table(columns, rows, right=frozenset({"calls", "moves"}), lists=frozenset({"registered until"}),
                 least=("moves", "firmware", "calls", "model", "entry", "last seen", "registered until"))
    _settings(screen, report, domain)
    _moves(screen, report, domain, called, told)
    _servers(screen, report)
    return screen.text()


def _called(report: Report) -> Callable[[str], str]:
    """The name of a server in the tables: the short name, as in the verdict; the last table has its address, too."""
    names = short_names(report.servers)
    return lambda server: names.get(server, brief(server))


def _domain(lines: Sequence[LineSummary]) -> str | None:
    """The domain that all AORs share, if there are several; shown once, since `--line` finds a line by its user."""
    domains = {line.line.rpartition("@")[2] for line in lines if "@" in line.line}
    shared = len(lines) > 1 and len(domains) == 1 and all("@" in line.line for line in lines)
    return brief(domains.pop()) if shared else None


def _aor(line: LineSummary, domain: str | None) -> str:
    """The AOR of a line in a row: its user alone if all lines share `domain`."""
    return brief(line.line).rpartition("@")[0] if domain else brief(line.line)


def _settings(screen: Screen, report: Report, domain: str | None) -> None:
    """The regime, mode, group and label of the lines of which any is known."""
    known = [line for line in report.lines if line.regime or line.mode or line.group or line.label]
    if known:
        screen.title("Settings")
        screen.table(("line", "phone", "regime", "mode", "group", "label"),
                     [(_aor(line, domain), brief(line.phone), line.regime, line.mode, line.group, line.label)
                      for line in known], least=("label", "group"))


def _moves(screen: Screen, report: Report, domain: str | None, called: Callable[[str], str], when: TimeText) -> None:
    moves = sorted(((move, line) for line in report.lines for move in line.moves), key=lambda pair: pair[0].time)
    if not moves:
        return
    screen.title("Moves")
    screen.table(("time", "line", "phone", "kind", "servers", "cause"), [
        (when(move.time), _aor(line, domain), brief(line.phone), move.kind,
         f"{called(move.from_)} → {called(move.to)}", move.cause) for move, line in moves[:MOVES_SHOWN]],
        least=("phone", "cause", "kind"))
    screen.more(len(moves) - MOVES_SHOWN, "move")


def _servers(screen: Screen, report: Report) -> None:
    if report.servers:
        screen.title("Servers")
        screen.table(
            ("server", "name", "entry", "priority", "transports"),
            [(server.server, server.name, server.entry, server.priority, " ".join(server.transports))
             for server in report.servers], right=frozenset({"priority"}), least=("transports", "entry", "priority"))


def _row(line: LineSummary, domain: str | None, called: Callable[[str], str], when: TimeText) -> tuple[object, ...]:
    registered = ", ".join(f"{called(row.server)} {_until(row, when)}" for row in live_registrations(line)) or None
    return (brief(line.phone), _aor(line, domain), line.model or line.user_agent, line.firmware, line.entry,
            line.working and called(line.working), registered, line.calls, len(line.moves), _second(line.last, when))


def _until(row: Registration, when: TimeText) -> str:
    return "without end" if row.until is None else _second(row.until, when)


def _second(time: float, when: TimeText) -> str:
    """The time to the second, which is enough for a table of registrations."""
    return when(time).partition(".")[0]
