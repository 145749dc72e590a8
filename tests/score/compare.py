"""Findings compared with the truth, as contract.md 5 says: the same line and rule, within the slack of the entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sipaudit.model.values import Finding, Severity

Truth = list[dict[str, Any]]


@dataclass
class Verdict:
    """Counts by rule; `false` and `missed` also list the cases, for inspection."""

    true: Counter[str] = field(default_factory=Counter)      # entries that must be found
    hit: Counter[str] = field(default_factory=Counter)       # of those, found
    right: Counter[str] = field(default_factory=Counter)     # warnings and errors that hit an entry
    wrong: Counter[str] = field(default_factory=Counter)     # warnings and errors that hit none
    certain_wrong: Counter[str] = field(default_factory=Counter)
    inconclusive: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)

    def add(self, other: Verdict) -> None:
        for name, value in vars(other).items():
            mine = getattr(self, name)
            mine.update(value) if isinstance(mine, Counter) else mine.extend(value)


def hits(finding: Finding, entry: dict[str, Any]) -> bool:
    """Whether the finding matches this entry of the truth."""
    return (
        finding.rule == entry["rule"] and finding.line == entry["line"] and finding.time is not None
        and abs(finding.time - entry["time"]) <= entry["slack"]
        and entry.get("phone") in (None, finding.phone)
    )


def compare(findings: Iterable[Finding], truth: Truth, inconclusive: Iterable[Any] = (), where: str = "") -> Verdict:
    """The verdict on one capture."""
    verdict = Verdict()
    found = [finding for finding in findings if not finding.rule.startswith("config-") and finding.suppressed is None]
    for entry in truth:
        if entry["maybe"]:
            continue
        verdict.true[entry["rule"]] += 1
        if any(hits(finding, entry) for finding in found):
            verdict.hit[entry["rule"]] += 1
        else:
            verdict.missed.append(f"{where}: {entry['rule']} of {entry['line']} at {entry['time']}")
    for finding in found:
        if finding.severity == Severity.INFO:
            continue
        if any(hits(finding, entry) for entry in truth):
            verdict.right[finding.rule] += 1
            continue
        verdict.wrong[finding.rule] += 1
        verdict.certain_wrong[finding.rule] += finding.confidence == "certain"
        verdict.false.append(f"{where}: {finding.rule} ({finding.confidence}) of {finding.line} at {finding.time}")
    for each in inconclusive:
        verdict.inconclusive[each.rule] += each.count
    return verdict
