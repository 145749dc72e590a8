"""Numbers the servers, lines, rules and captures of the page, and sorts lines and findings by weight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sipaudit.model.values import Finding, LineSummary, Report
from sipaudit.report.by_key import by_key
from sipaudit.report.exhibits import worst_first
from sipaudit.report.html.clock import PageClock

NOT_THERE = -1


class Numbers:
    """Numbers values from 0 in the order in which they are first given."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._numbers: dict[str, int] = {}
        for value in values:
            self.of(value)

    def of(self, value: str | None) -> int:
        """The number of a value, the next one if it is new; NOT_THERE for None."""
        return NOT_THERE if value is None else self._numbers.setdefault(value, len(self._numbers))

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)


class Index:
    """The numbers of a report's parts. Lines and findings are in the order of the page: the worst first."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.clock = PageClock(report)
        self.servers = Numbers(server.server for server in report.servers)
        self.captures = Numbers(capture.path for capture in report.captures)
        self.rules = Numbers(sorted({finding.rule for finding in report.findings}))
        self.incidents = Numbers(incident.id for incident in report.incidents)
        self.findings = worst_first(report.findings)
        self.weights = _weights(report.findings)
        self.lines = sorted(report.lines, key=self._worst_line)
        self._line_numbers = {(line.line, line.phone): number for number, line in enumerate(self.lines)}
        self._by_aor = by_key((line.line, number) for number, line in enumerate(self.lines))

    def line(self, finding: Finding) -> int:
        """The number of a finding's line. A finding about provisioning names no phone: the first line with its AOR."""
        if finding.phone is None:
            return next(iter(self.by_aor(finding.line or "")), NOT_THERE)
        return self._line_numbers.get((finding.line or "", finding.phone), NOT_THERE)

    def by_aor(self, aor: str) -> list[int]:
        return self._by_aor.get(aor, [])

    def severities(self, line: LineSummary) -> list[int]:
        """How many findings of the line count, by severity: info, warning, error."""
        return self.weights.get((line.line, line.phone), [0, 0, 0])

    def _worst_line(self, line: LineSummary) -> tuple[list[int], int, str, str]:
        return [-count for count in reversed(self.severities(line))], -len(line.moves), line.line, line.phone


def _weights(findings: Iterable[Finding]) -> dict[tuple[str, str], list[int]]:
    counted: dict[tuple[str, str], list[int]] = {}
    for finding in findings:
        if finding.suppressed is None and finding.phone is not None:
            counted.setdefault((finding.line or "", finding.phone), [0, 0, 0])[finding.severity.rank] += 1
    return counted
