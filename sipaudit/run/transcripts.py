"""The events of a capture in the scenario language, line by line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter

from sipaudit.model.events import NO_LINE, ModelEvent, server_of
from sipaudit.model.profile import Profile
from sipaudit.model.transcript import Transcript
from sipaudit.model.values import Finding, Reason
from sipaudit.reconstruct.phones import Line
from sipaudit.rulebook.fault import Subject
from sipaudit.rulebook.trial import by_time, finding_line, left_open_line
from sipaudit.run.chosen_line import means, require
from sipaudit.run.run import Run
from sipaudit.safe_text import safe_text

EVENTS_KEPT = 1_000_000
LETTERS = "PSTUVWXYZ"

Open = tuple[str, str, float, str, Reason]
"""A check that could not be decided: line, phone, time, rule and why."""


class Transcripts:
    """Stores the model events of a run and writes them by line."""

    def __init__(self) -> None:
        self._events: list[ModelEvent] = []
        self._more = 0
        self._open: list[Open] = []

    def take(self, event: ModelEvent) -> None:
        """Store an event."""
        if len(self._events) < EVENTS_KEPT:
            self._events.append(event)
        else:
            self._more += 1

    def left_open(self, subject: Subject, time: float, rule: str, reason: Reason) -> None:
        """Store a check that could not be decided."""
        if len(self._open) < EVENTS_KEPT:
            self._open.append((subject.line, subject.phone, time, rule, reason))
        else:
            self._more += 1

    def text(self, run: Run, wanted: str | None, warn: Callable[[str], None]) -> Iterator[str]:
        """The scenario of each line (or only of `wanted`, as `--line` names it), with its findings below the `----`.
        Raises InputError if there is no such line."""
        require(wanted, run.reconstruction.lines.values())
        return self._text(run, wanted, warn)

    def _text(self, run: Run, wanted: str | None, warn: Callable[[str], None]) -> Iterator[str]:
        if self._more:
            warn(f"{self._more} events and open checks more are not printed: choose --from and --to")
        told = _ByLine(run, self._events, self._open)
        for line in sorted(run.reconstruction.lines.values(), key=lambda line: (line.aor, line.owner.address)):
            if wanted is None or means(wanted, line.aor):
                yield from map(safe_text, _line(run, line, told))


class _ByLine:
    """The events, findings and open checks within the run's span, by line and phone: indexed once, not searched for
    each line."""

    def __init__(self, run: Run, events: list[ModelEvent], left_open: list[Open]) -> None:
        self._of_lines: dict[int, list[tuple[int, ModelEvent]]] = {}
        self._of_phones: dict[int, list[tuple[int, ModelEvent]]] = {}
        self._findings: dict[tuple[str | None, str | None], list[Finding]] = {}
        self._open: dict[tuple[str, str], list[Open]] = {}
        for place, event in enumerate(events):
            if run.span.holds(event.time):
                whose, table = (event.phone, self._of_phones) if event.line == NO_LINE else (event.line, self._of_lines)
                table.setdefault(whose, []).append((place, event))
        for finding in run.report().findings:
            self._findings.setdefault((finding.line, finding.phone), []).append(finding)
        for one in left_open:
            if run.span.holds(one[2]):
                self._open.setdefault(one[:2], []).append(one)

    def events(self, line: Line) -> list[ModelEvent]:
        """The events of the line, and of its phone as a whole, in order."""
        both = [*self._of_lines.get(line.number, ()), *self._of_phones.get(line.phone, ())]
        return [event for _, event in sorted(both, key=itemgetter(0))]

    def findings(self, line: Line) -> list[Finding]:
        return self._findings.get((line.aor, line.owner.address), [])

    def left_open(self, line: Line) -> list[Open]:
        return self._open.get((line.aor, line.owner.address), [])


def _line(run: Run, line: Line, told: _ByLine) -> Iterator[str]:
    events = told.events(line)
    if not events:
        return
    names = _names(line, events)
    origin = events[0].time
    transcript = Transcript(names, origin)
    replays = run.auditor.replays.of_line(line.number)
    yield f"# {line.aor} at {line.owner.address}, 0 is {origin:.6f}"
    yield from _headers(names, replays[0].profile() if replays else None, line, origin - run.auditor.profiles.began)
    yield from (transcript.line(event) for event in events)
    yield "----"
    said = [finding_line(finding, (finding.time or 0.0) - origin,
                         transcript.name((finding.server or "-").partition("/")[0]))
            for finding in told.findings(line)]
    said += [left_open_line(time - origin, rule, reason) for _, _, time, rule, reason in told.left_open(line)]
    yield from by_time(said)
    yield ""


def _names(line: Line, events: list[ModelEvent]) -> dict[str, str]:
    """Short names for the servers: first those of the entries in order, then the others in order of appearance."""
    keys = [server.key for entry in line.entries for server in entry.servers]
    keys += filter(None, map(server_of, events))
    unique = list(dict.fromkeys(keys))
    return {LETTERS[index] if index < len(LETTERS) else f"S{index}": key for index, key in enumerate(unique)}


def _headers(names: dict[str, str], profile: Profile | None, line: Line, covered: float) -> Iterator[str]:
    yield "entry: " + " ".join(f"{name}={key}" for name, key in names.items())
    if profile is not None and profile.settings.values:
        known = {name: setting.value for name, setting in sorted(profile.settings.values.items())}
        yield "settings: " + " ".join(f"{name}={value}" for name, value in known.items() if value is not None)
    yield f"agent: {line.model or 'unknown'} {line.firmware or ''}".rstrip()
    if profile is not None and profile.entry is not None and profile.entry.dns_ttl is not None:
        yield f"ttl: {profile.entry.dns_ttl}"
    yield f"covered: {max(covered, 0.0):.3f}"
