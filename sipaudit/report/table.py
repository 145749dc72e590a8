"""The findings, and the lines, as CSV (RFC 4180), safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sipaudit.model.values import Finding, LineSummary, Registration
from sipaudit.report.proof import proof_text
from sipaudit.safe_text import safe_text

COLUMNS = (
    "id", "time", "epoch", "rule", "severity", "confidence", "line", "phone", "server", "expected", "observed", "basis",
    "assumptions", "facts", "incident", "evidence", "suppressed",
)
LINE_COLUMNS = (
    "line", "phone", "contact", "mac", "user_agent", "model", "firmware", "label", "group", "entry", "regime", "mode",
    "working", "registered", "calls", "moves", "first", "last",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Characters at which a spreadsheet may start a formula, or which it may strip and then find a formula."""


def to_csv(findings: Iterable[Finding]) -> Iterator[bytes]:
    """A header and one row for each finding, in UTF-8."""
    yield row(COLUMNS)
    for finding in findings:
        yield row(cells(finding))


def cells(finding: Finding) -> tuple[str, ...]:
    """A finding in the order of `COLUMNS`; what is not known is empty."""
    return (
        finding.id, "" if finding.time is None else utc(finding.time),
        "" if finding.time is None else f"{finding.time:.6f}", finding.rule, finding.severity, finding.confidence,
        finding.line or "", finding.phone or "", finding.server or "", finding.expected, finding.observed,
        ";".join(finding.basis), ";".join(finding.assumptions),
        json.dumps(finding.facts, separators=(",", ":")), finding.incident or "",
        ";".join(map(proof_text, finding.evidence)), finding.suppressed or "",
    )


def lines_to_csv(lines: Iterable[LineSummary]) -> Iterator[bytes]:
    """A header and one row for each line, in UTF-8."""
    yield row(LINE_COLUMNS)
    for line in lines:
        yield row(line_cells(line))


def line_cells(line: LineSummary) -> tuple[str, ...]:
    """A line in the order of `LINE_COLUMNS`; `registered` has the servers of its live registrations, each with its
    expiry, the working server first."""
    known = (line.contact, line.mac, line.user_agent, line.model, line.firmware, line.label, line.group, line.entry,
             line.regime, line.mode, line.working)
    registered = ";".join(one.server + ("" if one.until is None else f" {utc(one.until)}")
                          for one in live_registrations(line))
    return (line.line, line.phone, *(value or "" for value in known), registered, str(line.calls),
            str(len(line.moves)), utc(line.first), utc(line.last))


def live_registrations(line: LineSummary) -> list[Registration]:
    """The registrations that have not ended, the one at the working server first."""
    return sorted((one for one in line.registrations if one.end is None), key=lambda one: one.server != line.working)


def row(values: Iterable[str]) -> bytes:
    """One record; text from the wire can neither become a formula nor reach a terminal as a control character."""
    line = io.StringIO()
    csv.writer(line).writerow([("'" if value.startswith(FORMULA) else "") + safe_text(value) for value in values])
    return line.getvalue().encode()


def utc(time: float) -> str:
    """ISO 8601 with microseconds, `2026-11-22T11:03:04.500000Z`; empty where no calendar holds the time."""
    try:
        moment = datetime.fromtimestamp(time, UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
