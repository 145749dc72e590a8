"""The findings as JUnit XML for build servers: a test case for each rule, a failure for each finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from sipaudit.model.captures import CaptureSummary
from sipaudit.model.values import Finding, Report, Severity
from sipaudit.report.proof import filters_said, proof_text
from sipaudit.safe_text import safe_text

SUITE = "sipaudit"
NAME_SHOWN = 200  # characters of a case's name


def to_junit(report: Report, known: Sequence[str] = ()) -> bytes:
    """The report as one test suite.

    A rule that was reached without a finding has passed; one that could not be decided any of those times is skipped.
    An unsuppressed finding of at least warning is a failure, unless its id is among `known` (the run compared with has
    it, too): then it is skipped, as a suppressed one is.
    """
    cases = [*_failures(report, frozenset(known)), *_rules(report)] or [_nothing()]
    suite = ET.Element(
        "testsuite", name=SUITE, tests=str(len(cases)), errors="0",
        failures=str(sum(case.find("failure") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
    )
    suite.extend(cases)
    whole = ET.Element("testsuites")
    whole.append(suite)
    ET.indent(whole)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(whole, encoding="unicode")}\n'.encode()


def _failures(report: Report, known: frozenset[str]) -> Iterator[ET.Element]:
    for finding in report.findings:
        if finding.severity.rank < Severity.WARNING.rank:
            continue
        case = _case(finding.rule, " ".join(filter(None, (finding.id, finding.line, finding.phone))))
        if finding.suppressed is not None:
            ET.SubElement(case, "skipped", message=safe_text(f"suppressed: {finding.suppressed}"))
        elif finding.id in known:
            ET.SubElement(case, "skipped", message=safe_text(f"not new: {finding.observed}"))
        else:
            failure = ET.SubElement(case, "failure", message=safe_text(finding.observed), type=str(finding.severity))
            failure.text = "\n".join(map(safe_text, _told(finding, report.captures)))
        yield case


def _told(finding: Finding, captures: list[CaptureSummary]) -> Iterator[str]:
    yield f"expected: {finding.expected}"
    yield f"observed: {finding.observed}"
    yield f"confidence: {finding.confidence}"
    yield "evidence: " + "; ".join(map(proof_text, finding.evidence))
    yield from filters_said(finding, captures)


def _rules(report: Report) -> Iterator[ET.Element]:
    """The cases of rules without a finding above info. An info does not fail its rule, but is in the case's output."""
    undecided: Counter[str] = Counter()
    for row in report.inconclusive:
        undecided[row.rule] += row.count
    found = {finding.rule for finding in report.findings if finding.severity.rank >= Severity.WARNING.rank}
    infos = [finding for finding in report.findings if finding.severity is Severity.INFO]
    for rule, reached in sorted((row.rule, row.count) for row in report.reached if row.rule not in found):
        case = _case(rule, rule)
        told = [f"{' '.join(filter(None, (finding.id, finding.line)))}: {finding.observed}" for finding in infos
                if finding.rule == rule]
        if told:
            ET.SubElement(case, "system-out").text = "\n".join(map(safe_text, told))
        elif undecided[rule] >= reached:
            why = ", ".join(f"{row.count} {row.reason}" for row in report.inconclusive if row.rule == rule)
            ET.SubElement(case, "skipped", message=f"could not be decided: {why}")
        yield case


def _nothing() -> ET.Element:
    """A skipped case for a suite without any: an empty one would pass, as if all were well."""
    case = _case("any", "no rule had anything to check")
    ET.SubElement(case, "skipped", message="nothing was checked: see what the text report says first")
    return case


def _case(rule: str, name: str) -> ET.Element:
    return ET.Element("testcase", classname=f"{SUITE}.{safe_text(rule)}", name=safe_text(name)[:NAME_SHOWN])
