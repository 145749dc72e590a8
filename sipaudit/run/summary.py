"""The report, assembled from the results of reading, replaying and judging."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from sipaudit import __version__
from sipaudit.capture.health import CaptureHealth
from sipaudit.model.captures import CaptureSummary, ClockStep, Loss, ServerSummary, lost_share
from sipaudit.model.history import MoveSeen, RegistrationSeen, TrySeen
from sipaudit.model.settings import LineSettings, Mode, Regime
from sipaudit.model.state import LineState
from sipaudit.model.values import (
    SCHEMA,
    CallSpan,
    KnownEvent,
    LineSummary,
    Move,
    Reached,
    Reason,
    Registration,
    Report,
    SettingValue,
    Try,
    Undecided,
    moment,
)
from sipaudit.reconstruct.phones import CallSeen, Line
from sipaudit.reconstruct.traffic import Traffic
from sipaudit.run.auditor import Auditor
from sipaudit.run.line_replay import NO_HISTORY, LineReplay
from sipaudit.run.naming import Naming
from sipaudit.safe_text import safe_path
from sipaudit.times import Span


class ReportedSettings(NamedTuple):
    """A line's settings as a report shows them."""

    regime: Regime | None
    mode: Mode | None
    values: dict[str, SettingValue]


NO_SETTINGS = LineSettings()
NOTHING_OPEN: Counter[tuple[str, Reason]] = Counter()
EMPTY: list[Any] = []   # shared by all lines: most have no moves, tries, calls or undecided checks
SETTINGS_KEPT = 1024   # for all lines together
_reported: dict[int, tuple[LineSettings, ReportedSettings]] = {}   # by id, with the object itself


def capture_summary(health: CaptureHealth, traffic: Traffic | None) -> CaptureSummary:
    """One capture with its health (contract.md 3)."""
    messages = traffic.sip_messages if traffic else 0
    halves = traffic.missing_halves if traffic else 0
    encrypted = health.encrypted or (traffic.encrypted if traffic else {})
    lost = lost_share(health.packets, messages, health.kernel_drops or 0, halves)
    return CaptureSummary(
        path=safe_path(health.path), packets=health.packets, sip_messages=messages, first=_time(health.first),
        last=_time(health.last), truncated=health.truncated, link_types=list(health.link_types),
        undecoded=_sorted(health.undecoded), duplicates=health.duplicates, snaplen_cut=health.snaplen_cut,
        clock_steps=[ClockStep(frame, moment(time), round(seconds, 3)) for frame, time, seconds in health.clock_steps],
        malformed=_sorted(traffic.malformed if traffic else {}), one_way=traffic.one_way if traffic else 0,
        mid_life=traffic.mid_life if traffic else 0, encrypted=_sorted(encrypted),
        loss=Loss(health.kernel_drops, health.tcp_gaps, halves, round(lost, 6)),
        content=_sorted(health.content),
    )


def _time(seconds: float | None) -> float | None:
    return None if seconds is None else moment(seconds)


def _sorted(counts: dict[str, int]) -> dict[str, int]:
    return {key: counts[key] for key in sorted(counts)}


def build(
    auditor: Auditor, lines: dict[int, Line], captures: list[CaptureSummary], servers: list[ServerSummary],
    events: list[KnownEvent], span: Span, now: float,
) -> Report:
    """The report of everything within `span`; `now` is the time until which the events are known.

    Servers that were taken for phones are not among `lines`, and are ignored.
    """
    shown = [line for line in lines.values() if line.last >= span.start]
    rows = sorted((_line(line, auditor, span, now) for line in shown),
                  key=lambda row: (row.line, row.phone, row.contact or ""))
    known = auditor.faults.checks
    checks = [known[key] for key in sorted(known.keys() & {(line.aor, line.owner.address) for line in shown})]
    open_checks = sum((each.open for each in checks), Counter[tuple[str, Reason]]())
    reached = sum((each.reached for each in checks), Counter[str]())
    return Report(
        schema=SCHEMA, generator=f"sipaudit {__version__}", captures=captures, servers=servers, lines=rows,
        findings=auditor.faults.findings(lambda event: event.line in lines and span.holds(event.time)),
        inconclusive=_undecided(open_checks), reached=[Reached(rule, reached[rule]) for rule in sorted(reached)],
        incidents=[], events=[event for event in events if span.holds(event.time)],
    )


def _undecided(counts: Counter[tuple[str, Reason]]) -> list[Undecided]:
    return [Undecided(rule, reason, count) for (rule, reason), count in sorted(counts.items())] if counts else []


def line_as_it_is(line: Line, auditor: Auditor) -> LineSummary:
    """The present state of a line, without its moves, tries, registrations and calls."""
    replays = auditor.replays.of_line(line.number)
    return _line_summary(line, auditor, replays, [replay.state for replay in replays], [], [], [], [])


def _line(line: Line, auditor: Auditor, span: Span, now: float) -> LineSummary:
    replays = auditor.replays.of_line(line.number)
    states = [replay.state for replay in replays]   # computed on each access
    moves: list[Move] = []
    tries: list[Try] = []
    registrations: list[Registration] = []
    for replay, state in zip(replays, states, strict=True):
        history = replay.history
        if history is not NO_HISTORY:   # few lines have one
            moves += [move_of(move, replay) for move in history.moves if span.holds(move.time)]
            tries += [try_of(seen, replay) for seen in history.tries if span.holds(seen.request.time)]
        registrations += [registration_of(row, replay) for row in history.registrations(state, now, replay.track)
                          if row.since <= span.end and (row.until is None or row.until >= span.start)]
    place = auditor.fallbacks.at(line.number)
    if place is not None:
        moves += [move_of(move, replays[0]) for move in place.moves if span.holds(move.time)]
    moves.sort(key=lambda move: move.time)
    calls = [call_of(call, auditor.naming) for call in line.spans if _within(call, span)] if line.spans else []
    return _line_summary(line, auditor, replays, states, moves, tries, registrations, calls)


def _line_summary(
    line: Line, auditor: Auditor, replays: Sequence[LineReplay], states: Sequence[LineState], moves: list[Move],
    tries: list[Try], registrations: list[Registration], call_spans: list[CallSpan],
) -> LineSummary:
    main = replays[0] if replays else None
    settings = _as_reported(main.settings if main else NO_SETTINGS)
    checks = auditor.faults.checks.get((line.aor, line.owner.address))
    undecided = checks.open if checks else NOTHING_OPEN
    entries = line.view.names
    return LineSummary(
        line=line.aor, phone=line.owner.address, contact=line.contact, mac=line.owner.mac, user_agent=line.user_agent,
        model=line.model, firmware=line.firmware, label=line.declaration.label, group=line.declaration.group,
        entry=entries[0] if entries else None, entries=entries,
        regime=settings.regime, mode=settings.mode, working=_working(line, auditor, main, states),
        first=moment(line.first), last=moment(line.last), calls=line.calls, settings=settings.values,
        moves=moves or EMPTY, tries=tries or EMPTY, registrations=registrations,
        inconclusive=_undecided(undecided) or EMPTY, declare=_wanted(undecided, known=bool(entries)) or EMPTY,
        call_spans=call_spans or EMPTY,
    )


def _working(line: Line, auditor: Auditor, main: LineReplay | None, states: Sequence[LineState]) -> str | None:
    """The server that a line works with, in any of its entries."""
    if main is None:
        return None
    place, stay = auditor.fallbacks.at(line.number), states[0].stays[main.track]
    server = place.server if place is not None and place.server else "" if stay is None else stay.server
    return main.server(server) if server else None


def _as_reported(settings: LineSettings) -> ReportedSettings:
    """The settings as reports show them: one shared object for all lines with the same settings, as most of a site
    have."""
    known = _reported.get(id(settings))
    if known is not None and known[0] is settings:
        return known[1]
    reported = ReportedSettings(settings.regime, settings.mode, {
        name: SettingValue(setting.value, setting.source, setting.origin)
        for name, setting in sorted(settings.values.items())})
    if len(_reported) >= SETTINGS_KEPT:
        _reported.clear()
    _reported[id(settings)] = settings, reported
    return reported


def move_of(move: MoveSeen, replay: LineReplay) -> Move:
    """A move in the form of a report."""
    return Move(
        time=moment(move.time), first_packet=_time(move.first_packet), kind=move.kind,
        from_=replay.server(move.source), to=replay.server(move.target), cause=move.cause,
        evidence=[replay.frame(event) for event in move.evidence],
    )


def try_of(seen: TrySeen, replay: LineReplay) -> Try:
    """A try to return in the form of a report."""
    request = seen.request
    return Try(moment(request.time), replay.server(request.server), request.method, seen.result)


def registration_of(row: RegistrationSeen, replay: LineReplay) -> Registration:
    """A period of registration in the form of a report."""
    return Registration(
        server=replay.server(row.server), from_=moment(row.since), until=_time(row.until),
        expires=None if row.expires is None else round(row.expires, 3), refreshes=row.refreshes, end=row.end,
    )


def call_of(call: CallSeen, naming: Naming) -> CallSpan:
    """A call in the form of a report."""
    return CallSpan(from_=_time(call.began), up=_time(call.up), until=_time(call.over),
                    server=naming.server(call.server), tries=call.tries)


def _within(call: CallSeen, span: Span) -> bool:
    """Whether any part of the call lies in the reported span."""
    began = call.began if call.began is not None else call.up
    return (began is None or began <= span.end) and (call.over is None or call.over >= span.start)


DECLARE = {
    Reason.SETTINGS_UNKNOWN: "settings", Reason.SETTINGS_AMBIGUOUS: "settings", Reason.ENTRY_UNKNOWN: "entry",
    Reason.TTL_UNKNOWN: "dns_ttl",
}


def _wanted(undecided: Counter[tuple[str, Reason]], *, known: bool) -> list[str]:
    """What to declare so that more checks of this line could be decided; `known`: its server entry is known."""
    if not undecided:
        return []
    wanted = {DECLARE[reason] for _, reason in undecided if reason in DECLARE}
    return sorted(wanted if known else wanted | {"entry"})
