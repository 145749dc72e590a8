"""Runs scenarios: a history in the scenario language is replayed and judged, with the result as lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from sipaudit.model.events import ModelEvent
from sipaudit.model.history import History, track_of
from sipaudit.model.observations import Observation
from sipaudit.model.profile import Profile
from sipaudit.model.replay import replay
from sipaudit.model.scenario import Scenario
from sipaudit.model.settings import LineSettings
from sipaudit.model.state import LineState, Track
from sipaudit.model.values import Finding, Frame, Reason
from sipaudit.rulebook.faults import Faults
from sipaudit.rulebook.rules import Rule


class ScenarioLine(Struct, frozen=True):
    """The line of a scenario, in the form that findings need."""

    known: Profile
    names: dict[str, str]
    line: str = "line"
    phone: str = "phone"

    @property
    def entry(self) -> str | None:
        return None if self.known.entry is None else self.known.entry.name

    @property
    def settings(self) -> LineSettings:
        return self.known.settings

    @property
    def track(self) -> Track:
        return track_of(self.known)

    def profile(self) -> Profile:
        return self.known

    def server(self, key: str) -> str:
        return next((name for name, known in self.names.items() if known == key), key)

    def loses_sight(self, key: str, time: float) -> bool:  # noqa: ARG002 - a Subject's
        """Never: a scenario is complete."""
        return False

    def sees(self, key: str) -> bool:
        """Whether the scenario names this server: it shows all there are."""
        return key in self.names.values()

    def skew(self) -> float:
        """Zero: a scenario has one clock."""
        return 0.0

    def frame(self, event: ModelEvent) -> Frame:
        method = getattr(event, "method", type(event).__name__)
        return Frame("scenario", event.frame, event.time, method)


def judge_scenario(scenario: Scenario, rules: Iterable[Rule]) -> tuple[list[str], list[Finding]]:
    """The lines that belong below the rule (the dividing line) of a scenario, and the findings behind them.

    A finding reads `303.500 signalling-to-unregistered-server S certain`, an open check `303.500 ?
    signalling-to-unregistered-server loss-nearby`.
    """
    faults, history = Faults(rules), History()
    subject = ScenarioLine(scenario.profile, scenario.names)
    lines: list[str] = []
    faults.left_open = lambda _subject, time, rule, reason: lines.append(left_open_line(time, rule, reason))
    state, now = LineState(), 0.0
    waiting: tuple[Observation, ...] = ()
    for step in replay(scenario.events, scenario.profile):
        faults.take(step, subject)
        history.take(step, subject)
        state, now, waiting = step.after, step.event.time, step.waiting
    faults.judge_all(waiting, subject)
    findings = faults.findings()
    lines += [finding_line(finding, finding.time or 0.0, finding.server or "-") for finding in findings]
    lines += _rows(scenario, history, state, now, subject)
    return by_time(lines), findings


def finding_line(finding: Finding, time: float, server: str) -> str:
    """A finding in the scenario's notation; `time` and `server` as the scenario counts and names them."""
    doubts = "".join(f" {doubt}" for doubt in finding.assumptions)
    return f"{time:.3f} {finding.rule} {server} {finding.confidence}{doubts}"


def left_open_line(time: float, rule: str, reason: Reason) -> str:
    """A check that was left open, in the scenario's notation."""
    return f"{time:.3f} ? {rule} {reason}"


def by_time(lines: Iterable[str]) -> list[str]:
    """The lines below the rule of a scenario, sorted by time."""
    return sorted(lines, key=lambda line: (float(line.split()[0]), line))


def _rows(scenario: Scenario, history: History, state: LineState, now: float,
          subject: ScenarioLine) -> Iterator[str]:
    if "moves" in scenario.show:
        for move in history.moves:
            yield (f"{move.time:.3f} move {subject.server(move.source)} {subject.server(move.target)} "
                   f"{move.kind} {move.cause}")
    if "tries" in scenario.show:
        for try_ in history.tries:
            request = try_.request
            yield f"{request.time:.3f} try {subject.server(request.server)} {request.method} {try_.result}"
    if "registrations" in scenario.show:
        for row in history.registrations(state, now, subject.track):
            until = "open" if row.until is None else f"{row.until:.3f}"
            yield (f"{row.since:.3f} registered {subject.server(row.server)} until {until} "
                   f"refreshes={row.refreshes} {row.end or 'live'}")
