"""The parts of the page that are plain HTML: the verdict, the incidents, what was and was not judged, the captures.

They can be read without the script. The template escapes markup in every text (autoescape); what does not print is
escaped here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import tzinfo
from typing import Any

from sipaudit.model.values import Finding, Incident, Report, Severity
from sipaudit.report.advice import ADVICE, ASSUMED, CAPTURING, by_reason, to_declare
from sipaudit.report.by_key import by_key
from sipaudit.report.exhibits import counting
from sipaudit.report.html.index import Index
from sipaudit.report.html.inert import SENTENCE, inert
from sipaudit.report.manners import heading
from sipaudit.report.names import name_of
from sipaudit.report.screen import count_of, grouped
from sipaudit.report.series import gravest, others, shown_in_full
from sipaudit.report.text import health
from sipaudit.report.verdict import INCIDENTS_SAID, sentences
from sipaudit.report.when import lasting
from sipaudit.rulebook.rule_file import DOCUMENTATION
from sipaudit.rulebook.rules import IncidentKind, Rule, RulePack
from sipaudit.times import TimeStyle, format_time, zone_name

ANCHOR = re.compile(r"i-[0-9]{1,9}")  # an id that no other element of the page can have
INCIDENTS = 100   # most that are described; the others are counted
TIMELINE = 60     # entries of one incident
GROUPS = 20
METRICS = {
    "lines_moved": "lines moved", "lines_stayed": "lines stayed", "registrations_lost": "registrations lost",
    "calls_lost": "calls lost", "calls_failed": "calls failed", "emergency_failed": "emergency calls failed",
    "register_rate_median": "REGISTERs a second, usually", "register_rate_peak": "REGISTERs a second, at most",
    "responses_503": "503 answers",
}
SPREADS = {"time_to_detect": "to find out", "time_to_recover": "to work again"}


def sections(index: Index, clock: tzinfo, pack: RulePack) -> dict[str, Any]:
    """The values for the template."""
    report = index.report
    counted = counting(report.findings)
    told, rest = shown_in_full(report.incidents, INCIDENTS_SAID)
    return {
        "judged": bool(report.lines or report.findings), "title": _title(report),
        "generator": inert(report.generator), "span": _span(index, clock),
        "verdict": [inert(sentence, SENTENCE) for sentence in sentences(report, clock)],
        "tiles": list(_tiles(report, counted)),
        "incidents": [_incident(incident, report, clock, pack, unfolded=not place)
                      for place, incident in enumerate(told)],
        "other_incidents": [_incident(incident, report, clock, pack, unfolded=False)
                            for incident in gravest(rest, INCIDENTS - len(told))],
        "others": inert(others(rest), SENTENCE),
        "incidents_left": max(len(report.incidents) - INCIDENTS, 0),
        "events": [{"time": format_time(event.time, clock), "what": inert(event.what)} for event in report.events],
        "rules": list(_rules(report, counted, pack)), "undecided": list(_undecided(report)),
        "declare": [f"{inert(name)} ({lines})" for name, lines in to_declare(report)],
        "captures": list(_captures(report, clock)),
        "assumptions": list(_assumptions(counted)),
        "reached": [{"rule": inert(row.rule), "count": row.count} for row in report.reached],
        "capturing": CAPTURING, "servers": list(_servers(report)),
        "suppressed": len(report.findings) - len(counted),
    }


def _title(report: Report) -> str:
    names = [inert(capture.path.rpartition("/")[2], 80) for capture in report.captures]
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _span(index: Index, clock: tzinfo) -> str:
    """`2026-11-22 12:00:00 to 12:07:14 UTC`, with a second date if that is another day."""
    first, last = (format_time(time, clock, TimeStyle.FULL).rpartition(".")[0] or format_time(time, clock)
                   for time in (index.clock.start, index.clock.end))
    return (f"{first} to {last.partition(' ')[2] if first[:10] == last[:10] else last} "
            f"{zone_name(index.clock.end, clock)}")


def _tiles(report: Report, counted: list[Finding]) -> Iterator[dict[str, Any]]:
    severities = Counter(finding.severity for finding in counted)
    yield _tile(len({line.phone for line in report.lines}), "phone")
    yield _tile(len(report.lines), "line")
    yield _tile(len(report.servers), "server")
    yield _tile(len(report.incidents), "incident")
    for severity in reversed(Severity):
        word = "info" if severity is Severity.INFO else str(severity)
        yield {**_tile(severities[severity], word, plural="info" if word == "info" else None), "severity": word}
    yield _tile(sum(row.count for row in report.inconclusive), "not decided", plural="not decided")


def _tile(count: int, noun: str, plural: str | None = None) -> dict[str, Any]:
    return {"count": grouped(count), "noun": noun if count == 1 else plural or f"{noun}s",
            "severity": None, "zero": count == 0}


# -- incidents

def _incident(incident: Incident, report: Report, clock: tzinfo, pack: RulePack, *, unfolded: bool) -> dict[str, Any]:
    kind = next((kind for kind in pack.incidents if kind.id == incident.kind), None)
    return {
        "id": inert(incident.id), "anchor": incident.id if ANCHOR.fullmatch(incident.id) else None,
        "kind": inert(incident.kind), "title": heading(incident, kind.title) if kind else None,
        "server": inert(_name_and_address(incident.server, report)),
        "start": format_time(incident.start, clock), "end": _end(incident, clock),
        "lasted": None if incident.end is None else lasting(incident.end - incident.start),
        "lines": count_of(len(incident.lines), "line"), "phones": count_of(incident.phones, "phone"),
        "groups": [{"name": inert(share.group), "lines": share.lines, "of": share.of}
                   for share in incident.groups[:GROUPS]],
        "groups_left": max(len(incident.groups) - GROUPS, 0),
        "findings": [inert(finding) for finding in incident.findings[:12]], "finding_count": len(incident.findings),
        "metrics": list(_metrics(incident)), "spreads": list(_spreads(incident)),
        "timeline": [{"time": format_time(entry.time, clock, TimeStyle.CLOCK), "what": inert(entry.what, SENTENCE)}
                     for entry in incident.timeline[:TIMELINE]],
        "timeline_left": max(len(incident.timeline) - TIMELINE, 0),
        "documentation": list(_documentation(kind)), "unfolded": unfolded,
    }


def _end(incident: Incident, clock: tzinfo) -> str | None:
    if incident.end is None:
        return None
    start, end = format_time(incident.start, clock), format_time(incident.end, clock)
    return end.partition(" ")[2] or end if start[:10] == end[:10] else end


def _name_and_address(server: str | None, report: Report) -> str | None:
    """`sbc1.example.com (10.0.0.1:5060/udp)`, the address alone where there is no name."""
    name = name_of(server, report)
    return server if name is None else f"{name} ({server})"


def _metrics(incident: Incident) -> Iterator[dict[str, Any]]:
    for name, words in METRICS.items():
        value = incident.metrics.get(name)
        if value is not None:
            yield {"name": words, "value": f"{value:g}" if isinstance(value, float) else grouped(value)}


def _spreads(incident: Incident) -> Iterator[dict[str, Any]]:
    for name, words in SPREADS.items():
        values = [incident.metrics.get(f"{name}_{part}") for part in ("p50", "p95", "max")]
        if any(value is not None for value in values):
            yield {"name": words, "values": ["–" if value is None else lasting(value) for value in values]}


# -- rules, and what was not judged

def _rules(report: Report, counted: list[Finding], pack: RulePack) -> Iterator[dict[str, Any]]:
    """The rules that were broken, the worst first, each with its documentation."""
    texts = {rule.id: rule for rule in pack.of_lines}
    count = Counter(finding.rule for finding in counted)
    by_rule = by_key((finding.rule, finding) for finding in report.findings)
    worst = {rule: max((one.severity for one in broken), key=lambda severity: severity.rank)
             for rule, broken in by_rule.items()}
    for rule, broken in sorted(by_rule.items(), key=lambda item: (-worst[item[0]].rank, -count[item[0]])):
        yield {"id": inert(rule), "title": texts[rule].title if rule in texts else None, "severity": str(worst[rule]),
               "count": count[rule], "suppressed": len(broken) - count[rule],
               "lines": len({(finding.line, finding.phone) for finding in broken}),
               "documentation": list(_documentation(texts.get(rule)))}


def _documentation(described: Rule | IncidentKind | None) -> Iterator[dict[str, str]]:
    if described is not None:
        for key in ("what", "why", "fix", "false_positives"):
            if described.documentation.get(key):
                yield {"heading": DOCUMENTATION[key], "text": described.documentation[key]}


def _undecided(report: Report) -> Iterator[dict[str, Any]]:
    for reason, rules in by_reason(report):
        yield {"reason": str(reason), "count": rules.total(), "advice": ADVICE[reason],
               "rules": [(inert(rule), count) for rule, count in rules.most_common()]}


def _assumptions(counted: Iterable[Finding]) -> Iterator[dict[str, Any]]:
    used = Counter(doubt for finding in counted for doubt in finding.assumptions)
    for doubt, count in used.most_common():
        yield {"name": str(doubt), "text": ASSUMED[doubt], "findings": count_of(count, "finding")}


# -- captures and servers

def _captures(report: Report, clock: tzinfo) -> Iterator[dict[str, Any]]:
    for capture in report.captures:
        first, *rest = health(capture, clock)
        yield {"text": inert(first, SENTENCE), "defects": [inert(defect.strip(), SENTENCE) for defect in rest]}


def _servers(report: Report) -> Iterator[dict[str, Any]]:
    now = Counter(line.working for line in report.lines)
    for number, server in enumerate(report.servers):
        yield {"number": number, "server": inert(server.server), "name": inert(server.name),
               "entry": inert(server.entry), "priority": server.priority, "lines": now[server.server],
               "transports": ", ".join(map(inert, server.transports))}
