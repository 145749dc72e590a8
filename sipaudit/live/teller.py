"""What a probe has to say, asked for about once a second."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec.structs import replace

from sipaudit.live.probe import Probe
from sipaudit.live.said_findings import SaidFindings
from sipaudit.live.said_incidents import SaidIncidents
from sipaudit.live.said_lines import SaidLines
from sipaudit.model.sayings import CaptureSaid, ReachedSaid, Saying, UndecidedSaid
from sipaudit.model.values import Finding, Reached, Reason, Undecided

LOOK_EVERY = 2.0      # seconds between two looks at incidents and lines
COUNT_EVERY = 60.0    # seconds between two sayings of what only counts


class Teller:
    """Says each thing once, and again when it changed. What it knows is what was said."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._findings = SaidFindings(self._marked)
        self._incidents = SaidIncidents()
        self._lines = SaidLines()
        self._incident_of: dict[int, str] = {}
        self._look_after = self._count_after = float("-inf")
        self._undecided: Counter[tuple[str, Reason]] = Counter()
        self._reached: Counter[str] = Counter()
        self._of_settings: set[tuple[str, str]] = set()

    def turn(self, now: float, *, everything: bool = False) -> Iterator[Saying]:
        """What is new at `now` (seconds since the epoch), in the order of contract.md 3 but for findings, which come
        before the incidents that they are told in."""
        looks = everything or now >= self._look_after
        if everything or now >= self._count_after:
            self._count_after = now + COUNT_EVERY
            yield from self._of_counts(now)
        if looks:
            self._look_after = now + LOOK_EVERY
            yield from self._lines.turn(now, self._probe)
        auditor = self._probe.auditor
        yield from self._findings.turn(now, auditor.faults, self._probe.loss(), self._incident_of)
        if looks:
            yield from self._of_incidents(now)
            yield from self._findings.turn(now, auditor.faults, self._probe.loss(), self._incident_of)

    def _of_incidents(self, now: float) -> Iterator[Saying]:
        standing = self._findings.standing()
        chronicle = self._probe.chronicle()
        linked, incidents = chronicle.link([replace(one, incident=None) for one in standing.values()])
        drafts = chronicle.drafts()
        names = self._incidents.name(list(zip(drafts, incidents, strict=True)))
        name_of = {incident.id: name for incident, name in zip(incidents, names, strict=True)}
        self._incident_of = {number: name_of[finding.incident] for number, finding in zip(standing, linked, strict=True)
                             if finding.incident is not None}
        yield from self._incidents.turn(now, list(zip(names, drafts, incidents, strict=True)), float("-inf"))

    def _of_counts(self, now: float) -> Iterator[Saying]:
        for summary in self._probe.captures_seen():
            yield CaptureSaid(now, summary)
        checks = self._probe.auditor.faults.checks.values()
        undecided = sum((one.open for one in checks), Counter[tuple[str, Reason]]())
        reached = sum((one.reached for one in checks), Counter[str]())
        for (rule, reason), count in sorted(undecided.items()):
            if self._undecided[rule, reason] != count:
                yield UndecidedSaid(now, Undecided(rule, reason, count))
        for rule, count in sorted(reached.items()):
            if self._reached[rule] != count:
                yield ReachedSaid(now, Reached(rule, count))
        self._undecided, self._reached = undecided, reached

    def _marked(self, finding: Finding) -> Finding:
        """The finding with what `--suppress` says of it."""
        return self._probe.brief.suppressions.mark([finding], self._probe.auditor.began)[0][0]
