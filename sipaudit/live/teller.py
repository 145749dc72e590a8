"""Collects what a probe has to say; queried every turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b

from msgspec.structs import replace

from sipaudit.incidents.refused import LOST_CALLS
from sipaudit.live.probe import Probe
from sipaudit.live.said_findings import SaidFindings
from sipaudit.live.said_incidents import SaidIncidents
from sipaudit.live.said_lines import SaidLines
from sipaudit.live.said_settings import SaidSettings
from sipaudit.model.captures import ServerMinute
from sipaudit.model.packets import SAME_NUMBER
from sipaudit.model.sayings import (
    CaptureSaid,
    EventSaid,
    FindingSaid,
    IncidentSaid,
    MinuteSaid,
    NoteSaid,
    ReachedSaid,
    RegistrationSaid,
    Saying,
    UndecidedSaid,
    Withdrawn,
)
from sipaudit.model.values import Finding, Incident, KnownEvent, Reached, Reason, Undecided
from sipaudit.report.exhibits import frames_of
from sipaudit.safe_json import to_json
from sipaudit.store.rows import Name, name_of

LOOK_EVERY = 2.0      # seconds between two looks at incidents and lines
MINUTE_SETTLES = 45.0  # seconds after a minute in which its requests may still turn out to have timed out
COUNT_EVERY = 60.0    # seconds between two sayings of mere counts


class Teller:
    """Says each thing once, and again when it has changed. Its state is what was said."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._nowhere = frozenset(one.path for one in probe.health)   # no file has their frame numbers
        self._findings = SaidFindings(self._marked)
        self._incidents = SaidIncidents()
        self._lines = SaidLines()
        self._incident_of: dict[int, str] = {}
        self._forgotten = float("-inf")
        self._look_after = self._count_after = float("-inf")
        self._undecided: Counter[tuple[str, Reason]] = Counter()
        self._reached: Counter[str] = Counter()
        self._settings = SaidSettings()
        self._events: set[KnownEvent] = set()
        self._notes: list[str] = []
        self._minutes: dict[tuple[str, float], ServerMinute] = {}   # as last said
        self._again: dict[Name | None, set[bytes]] = {}   # digests of another run's sayings that will recur, by name
        self._over: set[tuple[object, ...]] = set()   # registrations whose end that run has said

    def turn(self, now: float, *, at_last: bool = False, goes_on: bool = False) -> Iterator[Saying]:
        """The new sayings at `now` (seconds since the epoch): counts first, then in the order of contract.md 3.
        `at_last`: this run will say nothing later; `goes_on`: but another one will, which will know more."""
        looks, faults = at_last or now >= self._look_after, self._probe.auditor.faults
        stand = self._findings.look(now, faults, self._probe.loss(), at_last=at_last)   # before checks are counted
        if at_last or now >= self._count_after:
            self._count_after = now + COUNT_EVERY
            yield from self._new(self._of_counts(now, at_last))
        if looks:
            self._look_after = now + LOOK_EVERY
            yield from self._new(self._lines.turn(now, self._probe, at_last=at_last))
            yield from self._of_settings(now, at_last)
        incidents = list(self._of_incidents(now, stand, at_last, goes_on)) if looks or self._findings.fresh else []
        yield from self._findings.say(now, faults, self._incident_of, at_last=at_last)
        yield from incidents

    def _of_incidents(self, now: float, stand: dict[int, Finding], at_last: bool, goes_on: bool) -> Iterator[Saying]:
        """The sayings of incidents; also notes to which incident each finding that stands belongs."""
        chronicle = self._probe.chronicle()
        linked, incidents = chronicle.link(list(stand.values()))
        told = [(draft, incident) for draft, incident in zip(chronicle.drafts(), incidents, strict=True)
                if (at_last and not goes_on) or not _may_pass(incident, now)]
        names = self._incidents.name(now, told)
        by_id = {incident.id: name for name, (_, incident) in zip(names, told, strict=True)}
        self._incident_of = {number: by_id[finding.incident] for number, finding in zip(stand, linked, strict=True)
                             if finding.incident in by_id}
        named = [(name, draft, incident) for name, (draft, incident) in zip(names, told, strict=True)]
        yield from self._incidents.turn(now, named, self._forgotten, at_last=at_last)

    def _of_counts(self, now: float, at_last: bool) -> Iterator[Saying]:
        """Counts, and what belongs to no line: captures, minutes, known events, notes, checks."""
        for summary in self._probe.captures_seen():
            yield CaptureSaid(now, summary)
        yield from self._of_minutes(now, at_last)
        before, self._events = self._events, set(self._probe.known_events)
        yield from (EventSaid(now, event) for event in dict.fromkeys(self._probe.known_events) if event not in before)
        for note in self._probe.brief.pack.notes:
            if note not in self._notes:
                self._notes.append(note)
                yield NoteSaid(now, note)
        yield from self._of_checks(now)

    def _of_checks(self, now: float) -> Iterator[Saying]:
        """How often rules had something to check, and could not decide, where that differs from what was said."""
        checks = self._probe.auditor.faults.checks.totals()
        undecided, reached = checks.open, checks.reached
        for (rule, reason), count in sorted(undecided.items()):
            if self._undecided[rule, reason] != count:
                yield UndecidedSaid(now, Undecided(rule, reason, count))
        for rule, count in sorted(reached.items()):
            if self._reached[rule] != count:
                yield ReachedSaid(now, Reached(rule, count))
        self._undecided, self._reached = undecided, reached

    def set_back(self) -> None:
        """The clock was set back, after everything known had been said."""
        self._look_after = self._count_after = self._forgotten = float("-inf")
        self._lines.set_back()
        self._incidents.set_back()

    def forget(self, before: float) -> None:
        """The route has forgotten what ended before that time (seconds since the epoch)."""
        self._forgotten = before
        self._findings.forget({fault.number for fault in self._probe.auditor.faults.done})

    def _new(self, sayings: Iterator[Saying]) -> Iterator[Saying]:
        """Without those that another run has already said with the same content, and without registrations whose end it
        has said. When a saying has other content than before, that run's sayings of this name no longer count."""
        for saying in sayings:
            name = name_of(saying) if self._again else None
            said = self._again.get(name)
            if said and (content := _content(saying)) in said:
                said.discard(content)
            elif not (self._over and isinstance(saying, RegistrationSaid) and _registration(saying) in self._over):
                self._again.pop(name, None)
                yield saying

    def files_changed(self) -> None:
        """Provisioning files were read again."""
        self._settings.again = True

    def begins_anew(self) -> None:
        """The view begins anew: what another run saw last will not be seen again."""
        self._again.clear()
        self._incidents.begins_anew()

    def said_before(self, saying: Saying) -> None:
        """Note what another run said after the checkpoint from which this one goes on."""
        if isinstance(saying, FindingSaid) and saying.finding.time is None:
            self._settings.said_before(saying.finding)
            self._findings.count_on(saying.finding)
        elif isinstance(saying, FindingSaid):
            self._findings.said_before(saying.finding)
        elif isinstance(saying, IncidentSaid):
            self._incidents.said_before(saying.incident)
        elif isinstance(saying, Withdrawn):
            self._findings.withdrawn_before(saying.id)
            self._incidents.withdrawn_before(saying.id)
        else:
            self._again.setdefault(name_of(saying), set()).add(_content(saying))
            if isinstance(saying, RegistrationSaid) and saying.registration.end is not None:
                self._over.add(_registration(saying))

    def stand(self, now: float) -> Iterator[Saying]:
        """The sayings that still hold, which a sink must `learn` when a probe goes on from a checkpoint."""
        for told in (self._lines, self._settings, self._findings, self._incidents):
            yield from told.stand(now)

    def _of_settings(self, now: float, at_last: bool) -> Iterator[Saying]:
        """Issues in the provisioning files of new lines, or of all lines after the files were read again."""
        whole = at_last or self._settings.again
        self._settings.again = False
        found = self._probe.of_settings(self._probe.lines_shown() if whole else self._lines.new)
        yield from self._settings.turn(now, map(self._marked, found), self._findings.next_id, whole=whole)

    def _of_minutes(self, now: float, at_last: bool) -> Iterator[Saying]:
        """The minutes of servers that have ended, once their counts are likely to be final. They are said again if a
        count changes: what a phone did before it was known to be a phone is counted later."""
        until = float("inf") if at_last else now - MINUTE_SETTLES
        before, self._minutes = self._minutes, {}
        for row in self._probe.minutes(lambda _, end: end <= until):
            self._minutes[row.server, row.time] = row
            if before.get((row.server, row.time)) != row:
                yield MinuteSaid(now, row)

    def _marked(self, finding: Finding) -> Finding:
        """The finding, marked if `--suppress` names it, and without a Wireshark filter if no file has its frames."""
        if any(frame.capture in self._nowhere for frame in frames_of(finding)):
            finding = replace(finding, wireshark=None)
        return self._probe.brief.suppressions.mark([finding], self._probe.auditor.profiles.began)[0][0]


def _may_pass(incident: Incident, now: float) -> bool:
    """Whether calls that seem lost may still succeed at another server, as in any failover."""
    return incident.kind == LOST_CALLS and now - incident.start < SAME_NUMBER


def _registration(said: RegistrationSaid) -> tuple[object, ...]:
    """What identifies the registration: line, phone, server and beginning."""
    return said.line, said.phone, said.registration.server, said.registration.from_


def _content(saying: Saying) -> bytes:
    """A digest of what is said, without the time of saying."""
    return blake2b(to_json(replace(saying, time=0.0)), digest_size=16).digest()
