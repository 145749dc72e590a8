"""The report for a ticket: Markdown that also reads well as plain text, with text from the wire escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import tzinfo

from sipaudit.model.values import Finding, Frame, Incident, Report
from sipaudit.report.advice import ADVICE, ASSUMED, TYPED, by_reason
from sipaudit.report.exhibits import worst_first
from sipaudit.report.names import name_of, site_names
from sipaudit.report.proof import filters, proof_text
from sipaudit.report.screen import count_of, grouped, shortened
from sipaudit.report.series import gravest
from sipaudit.report.text import expected, health
from sipaudit.report.verdict import sentences
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.rules import IncidentKind, Rule, RulePack
from sipaudit.safe_text import safe_text
from sipaudit.times import TimeStyle, format_time

FINDINGS_SHOWN = 50
INCIDENTS_SHOWN = 20
TIMELINE_SHOWN = 20
LENGTH_SHOWN = 300   # characters of one value: a name can have thousands

_MARKS = re.compile(r"([\\`*_{}\[\]#|~$]|(?<=:)/(?=/)|(?<=www)\.)", re.IGNORECASE)
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_CODE = re.compile(r"[^`<>&|]+")


def render(report: Report, clock: tzinfo, rules: RulePack | None = None) -> str:
    """The report in Markdown, times by `clock`, with the worst findings and the number of the others. `rules` is the
    pack in force (None: the one that ships)."""
    lines = ["# SIP failover audit", "", *(f"- {prose(sentence)}" for sentence in sentences(report, clock)), ""]
    lines += _section("Incidents", _incidents(report, clock))
    lines += _section("Findings", _findings(report, clock))
    lines += _section("What to do", _remedies(report, rules))
    lines += _section("Not decided", _open(report))
    lines += _section("Captures", (f"- {prose(sentence.strip())}" for capture in report.captures
                                   for sentence in health(capture, clock)))
    return "\n".join([*lines, f"Written by {prose(report.generator)}.", ""])


def _section(title: str, body: Iterator[str]) -> list[str]:
    lines = list(body)
    return [f"## {title}", "", *lines, ""] if lines else []


def _open(report: Report) -> Iterator[str]:
    for reason, rules in by_reason(report):
        counts = ", ".join(f"{grouped(count)} {code(rule)}" for rule, count in rules.most_common())
        yield f"- {count_of(rules.total(), 'check')}: {reason} ({counts}). {ours(ADVICE[reason])}"


def _incidents(report: Report, clock: tzinfo) -> Iterator[str]:
    for incident in gravest(report.incidents, INCIDENTS_SHOWN):
        yield f"- {code(incident.id)} **{prose(incident.kind)}** {_of_incident(incident, report, clock)}"
        for entry in incident.timeline[:TIMELINE_SHOWN]:
            yield f"  - {prose(format_time(entry.time, clock, TimeStyle.CLOCK))} {prose(entry.what)}"
        if len(incident.timeline) > TIMELINE_SHOWN:
            yield f"  - and {len(incident.timeline) - TIMELINE_SHOWN} more, see report.json"
    if len(report.incidents) > INCIDENTS_SHOWN:
        yield f"- and {len(report.incidents) - INCIDENTS_SHOWN} more, see report.json"


def _of_incident(incident: Incident, report: Report, clock: tzinfo) -> str:
    at = "" if incident.server is None else f"at {_server(incident.server, report)} "
    end = ", still open at the end" if incident.end is None else f" to {_time(incident.end, clock)}"
    return f"{at}from {_time(incident.start, clock)}{end}: {count_of(len(incident.lines), 'line')} of " \
           f"{count_of(incident.phones, 'phone')}"


def _server(server: str, report: Report) -> str:
    """The server's name and address, or its address alone."""
    name = name_of(server, report)
    return code(server) if name is None else f"{code(name)} ({code(server)})"


def _findings(report: Report, clock: tzinfo) -> Iterator[str]:
    worst, names = worst_first(report.findings), site_names(report)
    for finding in worst[:FINDINGS_SHOWN]:
        yield from _finding(finding, report, clock, names.get((finding.line, finding.phone)))
    if len(worst) > FINDINGS_SHOWN:
        yield f"{len(worst) - FINDINGS_SHOWN} more are in findings.csv."


def _finding(finding: Finding, report: Report, clock: tzinfo, called: str | None) -> Iterator[str]:
    yield f"### {prose(finding.id)} {prose(finding.rule)} ({finding.severity}, {finding.confidence})"
    yield ""
    if finding.suppressed is not None:
        yield f"- suppressed: {prose(finding.suppressed)}"
    if finding.line:
        whose = "" if finding.phone is None else f", phone {code(finding.phone)}"
        yield "- line: " + code(finding.line) + whose + (f" ({prose(called)})" if called else "")
    if finding.server:
        yield f"- server: {_server(finding.server, report)}"
    if finding.time is not None:
        yield f"- time: {_time(finding.time, clock)}"
    yield f"- {prose(expected(finding))}: {prose(finding.expected)}"
    yield f"- observed: {prose(finding.observed)}"
    for doubt in finding.assumptions:
        yield f"- assumes: {prose(ASSUMED[doubt])}"
    for proof in finding.evidence:
        when = f" {_time(proof.time, clock)}" if isinstance(proof, Frame) else ""
        yield f"- evidence: {code(proof_text(proof))}{when} {prose(proof.summary)}"
    for capture, found in filters(finding, report.captures):
        yield f"- Wireshark{capture and f', {code(capture)}'}: {code(found)}"
    yield ""


def _remedies(report: Report, rules: RulePack | None) -> Iterator[str]:
    """What to do, once for each kind of incident and each rule, the gravest first."""
    words = [*(incident.kind for incident in gravest(report.incidents, INCIDENTS_SHOWN)),
             *(finding.rule for finding in worst_first(report.findings) if finding.suppressed is None)]
    if not words:
        return
    pack = rules or load_pack()
    described: list[IncidentKind | Rule] = [*pack.incidents, *pack.of_lines]
    fixes = {each.id: each.documentation.get("fix", "") for each in described}
    for word in dict.fromkeys(words):
        if fixes.get(word):
            yield f"- {code(word)}: {ours(fixes[word])}"


def _time(time: float, clock: tzinfo) -> str:
    return prose(format_time(time, clock, TimeStyle.FULL))


def prose(text: str) -> str:
    """Escape text so that no markup, HTML or link begins in it, wherever the ticket shows it."""
    return _MARKS.sub(r"\\\1", _shown(text)).translate(_ENTITIES)


def ours(text: str) -> str:
    """A sentence of ours, or of a rule: what stands in `backticks` becomes code, all else is escaped."""
    return "".join(code(part) if place % 2 else prose(part) for place, part in enumerate(TYPED.split(text)))


def code(text: str) -> str:
    """A value in backquotes, where Markdown interprets nothing; escaped as prose if it could break out of them."""
    shown = _shown(text).strip()
    return f"`{shown}`" if _CODE.fullmatch(shown) else prose(text)


def _shown(text: str) -> str:
    return shortened(safe_text(text), LENGTH_SHOWN)
