"""Turns drafts into the incidents of a report, and links each finding to the incident it belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from functools import cached_property
from math import inf

from msgspec.structs import replace

from sipaudit.incidents.course import course
from sipaudit.incidents.draft import EVIDENCE_KEPT, Draft, Watched
from sipaudit.incidents.known import KnownEvents
from sipaudit.incidents.metrics import NAMES, failed_attempts, of_outage
from sipaudit.incidents.moves import LAST_MOVE
from sipaudit.incidents.outage import OUTAGE, Outage
from sipaudit.incidents.refused import LOST_CALLS
from sipaudit.incidents.settled import Departure, Reported, Settled
from sipaudit.incidents.settled import mark as mark_of
from sipaudit.incidents.watch import Watch
from sipaudit.model.history import MoveKind, MoveSeen, is_same_move
from sipaudit.model.state import Binding
from sipaudit.model.values import Finding, Frame, GroupShare, Happening, Incident, moment
from sipaudit.rulebook.reached import LineOfPhone

STOP = "known stop"      # in a timeline: the known event from which times to detect and recover count
LOG_OUT = " lines log out"   # after their number, where most of a storm's lines log out
MOSTLY = 0.5             # of the storm's lines
UNSEEN = "nothing is seen of "   # then a server outside the captures that may have served the lines
CAUSES = (OUTAGE, "partial-outage")   # the moves away from such a server explain what a line does next
MISSED = (*CAUSES, LOST_CALLS, "registration-gap")   # an uncaptured server may have served these lines after all
ROOTS = (*CAUSES, "overload", "stuck-on-secondary", "ghost-calls", "registration-gap", "split-brain")

PossibleCause = tuple[Draft, Incident, Sequence[Departure]]
"""An incident that reached a line, with the moves by which the line left its server."""


class Chronicle:
    """All incidents of a run. `everyone` returns the lines that count, and is called only when something has to be
    worked out; `name` gives the display name of a server; `holds` says whether a time span is to be reported; `settled`
    caches the incidents of drafts that are over."""

    def __init__(self, watch: Watch, everyone: Callable[[], Sequence[Watched]], known: KnownEvents,
                 name: Callable[[str], str], holds: Callable[[float, float], bool], settled: Settled | None = None
                 ) -> None:
        self._watch = watch
        self._give = everyone
        self._known = known
        self._name = name
        self._settled = settled or Settled()
        self._settled.turn()
        told = [pair for draft in watch.all() for pair in self._told(draft)
                if holds(pair[0].start, self._end(pair[0]) or inf)]
        told.sort(key=lambda pair: (pair[0].start, pair[1].server or "", pair[0].kind, pair[0].entry or ""))
        self._all: list[Reported] = [(draft, replace(incident, id=f"i-{number:04d}"))
                                  for number, (draft, incident) in enumerate(told, 1)]

    @cached_property
    def _everyone(self) -> Sequence[Watched]:
        return self._give()

    @cached_property
    def _numbers(self) -> set[int]:
        return {subject.number for subject in self._everyone}

    @cached_property
    def _groups(self) -> Counter[str]:
        """The number of lines in each group."""
        return Counter(group for group in {one.number: one.group for one in self._everyone}.values()
                       if group is not None)

    # -- drafts

    def _told(self, draft: Draft) -> Sequence[Reported]:
        """The incidents of a draft: one, and for an outage a second one of its lost calls; none if only servers are in
        it."""
        now = self._watch.timers.now
        mark = (mark_of(draft, now, self._watch.gaps.begun), self._server(draft))
        kept = self._settled.get(draft, mark)
        if kept is not None:
            return kept.told
        told = [(one, self._incident(one)) for one in self._drafts(draft) if self._counts(one)]
        if draft.over(now) is not None:
            self._settled.put(draft, mark, told)
        return told

    def _drafts(self, draft: Draft) -> Iterator[Draft]:
        self._settle(draft)
        if draft.settle(self._watch.timers.now):
            yield draft
        if isinstance(draft, Outage) and LOST_CALLS in self._watch.kinds and _took_calls(draft):
            yield self._lost_calls(draft)

    def _counts(self, draft: Draft) -> bool:
        """Whether any of the draft's lines belongs to a phone: a server that was mistaken for one does not count."""
        before = len(draft.lines)
        for number in draft.lines.keys() - self._numbers:
            del draft.lines[number]
        return bool(draft.lines) or not before

    def _settle(self, draft: Draft) -> None:
        """Add what is known only at the end of the captures."""
        if isinstance(draft, Outage):
            draft.stop = self._known.stop(draft.server, draft.last_answer, draft.start)
            draft.metrics = of_outage(draft, self._everyone, self._watch.gaps.spells(), self._watch.timers.now)
        elif draft.kind == "register-storm":
            self._registered_in(draft)

    def _happenings(self, draft: Draft) -> Iterator[tuple[float, str]]:
        if isinstance(draft, Outage):
            yield from course(draft, self._server(draft) or "")
        elif draft.kind == "flapping" and draft.end is not None:
            yield draft.end, LAST_MOVE
        yield from draft.happenings

    def _registered_in(self, storm: Draft) -> None:
        """Add to a storm its lines: those that sent a REGISTER during it, as far as still known, or were granted
        one."""
        last = inf if storm.end is None else storm.end - 1   # its last second: at `end` the rate was down
        watched = self._watch.tally.servers.get(storm.server or "")
        crowd = set() if watched is None else watched.crowd.lines(storm.start, last)
        out: set[int] = set()
        for subject in self._everyone:
            if subject.number in crowd:
                storm.add([subject])
                storm.entry = storm.entry or subject.entry
            binding = subject.state.binding(storm.server or "")
            if binding is not None and _logs_out(binding, storm.start, last + 2):
                out.add(subject.number)
            for grant in (binding.since, binding.granted) if binding is not None else ():
                if grant is not None and storm.start <= grant.time <= last + 2:
                    storm.add([subject], grant)
                    storm.entry = storm.entry or subject.entry
                    break
        if len(out) > MOSTLY * len(storm.lines):
            storm.happenings = [(storm.start, f"{len(out)}{LOG_OUT}")]

    def _lost_calls(self, outage: Outage) -> Draft:
        """The calls-lost incident of an outage."""
        calls, attempts = outage.lost_calls, failed_attempts(outage, self._watch.timers.now)
        start = min([*(outage.start for _ in calls[:1]), *(sent for _, sent in attempts)])
        draft = Draft(LOST_CALLS, start, outage.server, outage.entry)
        draft.end = outage.end
        draft.metrics = {name: outage.metrics.get(name) for name in ("calls_lost", "calls_failed", "emergency_failed")}
        for attempt, sent in attempts:
            draft.add([attempt.subject], attempt.event)
            draft.happened(sent, attempt.failure)
        for call in calls:
            draft.add([call.subject])
            draft.happened(call.last, f"last message of a call of {call.subject.line}")
        return draft

    # -- incidents

    def _end(self, draft: Draft) -> float | None:
        return draft.over(self._watch.timers.now)

    def _server(self, draft: Draft) -> str | None:
        return None if draft.server is None else self._name(draft.server)

    def _incident(self, draft: Draft) -> Incident:
        """The incident as reported, not yet numbered."""
        subjects, end = list(draft.lines.values()), self._end(draft)
        return Incident(
            id="", kind=draft.kind, server=self._server(draft), entry=draft.entry,
            state="open" if end is None else "closed", start=moment(draft.start),
            end=None if end is None else moment(end), lines=sorted(one.line for one in subjects),
            phones=len({one.owner for one in subjects}), groups=self._shares(subjects), findings=[],
            metrics={metric: _number(draft.metrics.get(metric)) for metric in NAMES}, evidence=_frames(draft),
            timeline=self._timeline(draft),
        )

    def _shares(self, subjects: Iterable[Watched]) -> list[GroupShare]:
        reached = Counter(one.group for one in subjects if one.group is not None)
        return [GroupShare(group, reached[group], self._groups[group]) for group in sorted(reached)]

    def _timeline(self, draft: Draft) -> list[Happening]:
        end = self._end(draft) or self._watch.timers.now
        stop = draft.stop if isinstance(draft, Outage) else None
        known = [(event.time, f"{STOP if event.time == stop else 'known'}: {event.what}")
                 for event in self._known.around(draft.server, draft.start if stop is None else stop, end)]
        unseen = [(draft.start, UNSEEN + server) for server in _unseen(draft)]
        told = sorted(dict.fromkeys([*known, *self._happenings(draft), *unseen]), key=lambda entry: entry[0])
        return [Happening(moment(time), what) for time, what in told]

    def drafts(self) -> list[Draft]:
        """The drafts of the incidents, in the same order."""
        return [draft for draft, _ in self._all]

    def incidents(self) -> list[Incident]:
        return [incident for _, incident in self._all]

    def link(self, findings: Sequence[Finding]) -> tuple[list[Finding], list[Incident]]:
        """The findings with the ids of their incidents, and the incidents with the ids of their findings."""
        by_line = self._of_lines(set(map(_whose, findings)))
        listed: dict[str, list[str]] = {incident.id: [] for incident in self.incidents()}
        linked = []
        for finding in findings:
            incident = _cause(finding, by_line.get(_whose(finding), []))
            if incident is not None:
                listed[incident].append(finding.id)
            linked.append(finding if incident is None else replace(finding, incident=incident))
        return linked, [replace(incident, findings=listed[incident.id]) for incident in self.incidents()]

    def _of_lines(self, wanted: Set[LineOfPhone]) -> dict[LineOfPhone, list[PossibleCause]]:
        """By line: the incidents that reached these lines."""
        found: dict[LineOfPhone, list[PossibleCause]] = {}
        for draft, incident in self._all if wanted else ():
            lines = self._settled.lines(draft)
            for whose in wanted & lines.keys():
                found.setdefault(whose, []).append((draft, incident, lines[whose]))
        return found


def beyond_bounds(watch: Watch) -> list[str]:
    """What exceeded the bounds and was dropped, in sentences for the report."""
    said = []
    if watch.drafts.dropped:
        said.append(f"{watch.drafts.dropped} incidents beyond the first {len(watch.drafts.all)} are not reported.")
    if watch.tally.minutes.dropped:
        said.append("The minutes of servers are counted in part only: there were too many servers and minutes.")
    return said


def _whose(finding: Finding) -> LineOfPhone:
    """The line that a finding is about. A finding about a provisioning file matches no line of a phone."""
    return finding.line or "", finding.phone or ""


def _cause(finding: Finding, candidates: list[PossibleCause]) -> str | None:
    """The id of the incident that a finding belongs to: one of the finding's own kind; otherwise the failure of the
    server that the line has left and not returned to; otherwise the gravest incident of the line at that time."""
    time = finding.time
    if time is None or not candidates:
        return None
    during = [(draft, incident) for draft, incident, _ in candidates
              if incident.start <= time <= (incident.end or inf)]
    for draft, incident in during:
        if draft.kind == finding.rule:
            return incident.id
    for _, incident, left in reversed(candidates):
        if any(_is_last(subject, move, time) for subject, move in left):
            return incident.id
    ranked = sorted((pair for pair in during if pair[0].kind in ROOTS),
                    key=lambda pair: (ROOTS.index(pair[0].kind), -pair[0].start))
    return ranked[0][1].id if ranked else None


def _is_last(subject: Watched, left: MoveSeen, time: float) -> bool:
    """Whether the line's last move before `time` was this one."""
    moved = [move for move in subject.history.moves
             if (move.first_packet if move.kind is MoveKind.FAILOVER and move.first_packet is not None
                 else move.time) <= time]
    return bool(moved) and is_same_move(moved[-1], left)


def _unseen(draft: Draft) -> list[str]:
    """The other servers of the draft's entry that no packet shows: the tap may not see them, or no line turned to
    them."""
    subject = next(iter(draft.lines.values()), None)
    entry = None if subject is None or draft.kind not in MISSED else subject.profile().entry
    if subject is None or entry is None:
        return []
    return [subject.server(server.key) for server in entry.servers
            if server.address is not None and server.key != draft.server and not subject.sees(server.key)]


def _logs_out(binding: Binding, start: float, end: float) -> bool:
    """Whether the phone removed the binding between `start` and `end`, and has not registered again since."""
    removed = binding.removed
    return removed is not None and removed.asked == 0 and start <= removed.time <= end


def _took_calls(outage: Outage) -> bool:
    return bool(outage.metrics["calls_lost"] or outage.metrics["calls_failed"])


def _number(value: float | None) -> int | float | None:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def _frames(draft: Draft) -> list[Frame]:
    frames: dict[tuple[str, int | float], Frame] = {}
    for event, subject in draft.evidence[:EVIDENCE_KEPT]:
        frame = subject.frame(event)
        frames.setdefault((frame.capture, frame.frame or frame.time), frame)
    return sorted(frames.values(), key=lambda frame: (frame.time, frame.frame or 0))
