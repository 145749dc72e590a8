"""Findings from issues of provisioning files, in the wording of their rules."""

from __future__ import annotations

from collections.abc import Iterable

from sipaudit.model.observations import Fact
from sipaudit.model.settings import LineSettings
from sipaudit.model.values import Confidence, Finding, Place
from sipaudit.rulebook.rules import Rule
from sipaudit.rulebook.wording import fill
from sipaudit.settings.issues import SettingIssue, Statement

Key = tuple[str, str, int, str, str]

VALUE_SHOWN = 200  # characters of a value that are shown


def issue_findings(issues: Iterable[tuple[SettingIssue, str]], rules: Iterable[Rule]) -> list[Finding]:
    """A finding for each issue, not yet numbered, with the first of the lines (AORs) it concerns; issues without a rule
    in `rules` are left out."""
    by_id = {rule.id: rule for rule in rules}
    lines: dict[Key, dict[str, None]] = {}
    first: dict[Key, SettingIssue] = {}
    for issue, line in issues:
        first.setdefault(issue.key, issue)
        lines.setdefault(issue.key, {}).update({line: None} if line else {})
    found = [_finding(issue, sorted(lines[key]), by_id[issue.rule]) for key, issue in first.items()
             if issue.rule in by_id]
    return sorted(found, key=_place)


def _place(finding: Finding) -> tuple[object, ...]:
    places = [proof for proof in finding.evidence if isinstance(proof, Place)]
    return finding.line or "", finding.rule, *((place.file, place.line, place.attribute) for place in places)


def _finding(issue: SettingIssue, lines: list[str], rule: Rule) -> Finding:
    at = issue.statements[0]
    facts: dict[str, Fact] = {"attribute": at.attribute, "value": at.text[:VALUE_SHOWN], **issue.facts}
    wording = rule.wording(facts)
    return Finding(
        id="", rule=rule.id, severity=rule.severity_of(facts), confidence=Confidence.CERTAIN,
        line=lines[0] if lines else None, phone=None, server=None, time=None,
        expected=fill(wording.expected, facts, LineSettings()), observed=fill(wording.observed, facts, LineSettings()),
        basis=list(rule.basis), facts={**facts, "lines": len(lines)}, assumptions=[], also=[], cause=None,
        incident=None, suppressed=None, wireshark=None, evidence=[_evidence(one) for one in issue.statements],
    )


def _evidence(one: Statement) -> Place:
    return Place(one.file, one.line, one.attribute, f"{one.attribute}={one.text[:VALUE_SHOWN]}")
