"""The findings as CSV (RFC 4180), safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from sipaudit.model.values import Finding
from sipaudit.report.proof import proof_text
from sipaudit.safe_text import safe_text

COLUMNS = (
    "id", "time", "epoch", "rule", "severity", "confidence", "line", "phone", "server", "expected", "observed", "basis",
    "assumptions", "facts", "incident", "evidence", "suppressed",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet may take for the beginning of a formula, or strip and find one behind it."""


def to_csv(findings: Iterable[Finding]) -> Iterator[bytes]:
    """A header and one row a finding, in UTF-8."""
    yield row(COLUMNS)
    for finding in findings:
        yield row(cells(finding))


def cells(finding: Finding) -> tuple[str, ...]:
    """A finding in the order of `COLUMNS`; what is not known is empty."""
    return (
        finding.id, "" if finding.time is None else utc(finding.time),
        "" if finding.time is None else f"{finding.time:.6f}", finding.rule, finding.severity, finding.confidence,
        finding.line, finding.phone or "", finding.server or "", finding.expected, finding.observed,
        ";".join(finding.basis), ";".join(finding.assumptions),
        json.dumps(finding.facts, separators=(",", ":")), finding.incident or "",
        ";".join(map(proof_text, finding.evidence)), finding.suppressed or "",
    )


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
