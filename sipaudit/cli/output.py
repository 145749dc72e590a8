"""Results out: to stdout in the chosen format, and into a directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from sipaudit.cli import terminal
from sipaudit.cli.exit_codes import FOUND

if TYPE_CHECKING:
    from datetime import tzinfo

    from sipaudit.model.values import Finding, Report
    from sipaudit.pipeline import Output

    Render = Callable[[Report, tzinfo, int, bool], str]  # report, clock, columns, colour
    ToCsv = Callable[[Report], Iterable[bytes]]


@dataclass(frozen=True)
class Delivery:
    """How a report is wanted: `--format` and `--fail-on`; `output` is what `-o` wants, None without it."""

    form: str
    fail_on: str
    output: Output | None = None


def deliver(report: Report, render: Render, clock: tzinfo, wanted: Delivery, to_csv: ToCsv | None = None) -> None:
    """The report to stdout; then exit code 3 if it holds what `--fail-on` names."""
    if wanted.output is not None:
        terminal.note(f"wrote the report into {wanted.output.directory}")
    show(report, render, clock, wanted.form, to_csv)
    fail_on(report.findings, wanted.fail_on)


def show(report: Report, render: Render, clock: tzinfo, form: str, to_csv: ToCsv | None = None) -> None:
    """The report to stdout, as `--format` names it; as CSV the findings, or what `to_csv` makes of it."""
    if form == "text":
        terminal.emit_text(render(report, clock, terminal.width(), terminal.has_color()))
    else:
        terminal.emit(_in_form(report, form) if form != "csv" or to_csv is None else to_csv(report))


def _in_form(report: Report, form: str) -> Iterable[bytes]:
    """The report as json, jsonl, csv or junit."""
    if form == "csv":
        from sipaudit.report import table

        return table.to_csv(report.findings)
    if form == "junit":
        from sipaudit.report import junit

        return [junit.to_junit(report)]
    from sipaudit.report import document

    return document.to_jsonl(report) if form == "jsonl" else document.pieces(report)


def fail_on(findings: Iterable[Finding], least: str, noun: str = "finding") -> None:
    """Ends with exit code 3 when an unsuppressed finding is at least as severe as `least`."""
    if least == "never":
        return
    from sipaudit.model.values import Severity

    floor = Severity(least).rank
    count = sum(1 for finding in findings if finding.suppressed is None and finding.severity.rank >= floor)
    if count:
        terminal.note(f"{count} {noun}{'s' if count > 1 else ''} of severity {least} or above (--fail-on {least})")
        raise click.exceptions.Exit(FOUND)
