"""Turns faults into the findings of a report: texts, evidence, order."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from sipaudit.model.observations import Fact, Observation
from sipaudit.model.values import Confidence, Finding, Frame, moment
from sipaudit.rulebook.facts import SECONDS, SERVERS
from sipaudit.rulebook.fault import Fault, Subject
from sipaudit.rulebook.wording import fill


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """The findings numbered by (time, line, phone, rule); those without a time come first. A cause that is not among
    them is dropped."""
    found = sorted(findings, key=lambda one: (one.time or 0.0, one.line or "", one.phone or "", one.rule))
    ids: dict[str | None, str] = {finding.id: f"f-{number:06d}" for number, finding in enumerate(found, 1)}
    return [replace(finding, id=f"f-{number:06d}", cause=ids.get(finding.cause))
            for number, finding in enumerate(found, 1)]


def facts_of(observation: Observation) -> dict[str, Fact]:
    """The facts of an observation, for the conditions and texts of rules."""
    method = getattr(observation.event, "method", None)
    return {"clause": observation.clause, "server": observation.server, "method": method, **observation.facts}


def finding_of(fault: Fault, observation: Observation) -> Finding:
    """The finding of a fault, with the observation that it reports. Its id, and that of its cause, is provisional: `#`
    and the fault's number."""
    subject = fault.subject
    facts = facts_of(observation)
    shown = {**facts, **{key: _servers(str(facts[key]), subject) for key in SERVERS if facts.get(key)}}
    wording = fault.rule.wording(facts)
    evidence = sorted(fault.evidence.values(), key=lambda frame: (frame.time, frame.frame or 0))
    return Finding(
        id=_provisional(fault.number), rule=fault.rule.id, severity=fault.severity,
        confidence=Confidence.LIKELY if observation.doubts else Confidence.CERTAIN,
        line=subject.line, phone=subject.phone,
        server=subject.server(observation.server) if observation.server else None,
        time=moment(observation.time), expected=fill(wording.expected, shown, subject.settings),
        observed=fill(wording.observed, shown, subject.settings), basis=[observation.clause],
        facts=_report_facts(shown, fault.times), assumptions=list(observation.doubts), also=list(fault.also),
        cause=None if fault.cause is None else _provisional(fault.cause), incident=None, suppressed=None,
        wireshark=display_filter(evidence, subject.frame(observation.event).capture), evidence=evidence,
    )


def _servers(keys: str, subject: Subject) -> str:
    return ", ".join(subject.server(key) for key in keys.split())


def _report_facts(facts: dict[str, Fact], times: int) -> dict[str, int | float | str | list[float] | None]:
    kept = {key: value for key, value in facts.items() if key not in ("clause", "server")}
    rounded = {key: round(value, 3) if key in SECONDS and isinstance(value, float) else value
               for key, value in kept.items()}
    return {**rounded, "times": times}


def display_filter(evidence: list[Frame], capture: str) -> str | None:
    """A Wireshark display filter for the evidence in this capture, None where it has none."""
    frames = sorted({number for frame in evidence if frame.capture == capture
                     for number in (frame.frames or ([] if frame.frame is None else [frame.frame]))})
    return f"frame.number in {{{', '.join(map(str, frames))}}}" if frames else None


def _provisional(number: int) -> str:
    """An id for use until the findings are numbered."""
    return f"#{number}"
