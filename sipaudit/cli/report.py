"""`sipaudit report`: a report rendered again, or compared with another one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from os.path import isfile
from typing import TYPE_CHECKING

import click

from sipaudit.cli import options, output, terminal
from sipaudit.cli.manual import Command

if TYPE_CHECKING:
    from sipaudit.model.values import Report
    from sipaudit.report.comparison import Comparison


@click.command("report", cls=Command, short_help="Show a report again, or compare two runs.")
@click.argument("path", metavar="STORE|REPORT.json", type=options.NamedPath())
@options.option(
    "--compare", "other", section=options.READ, metavar="OTHER", type=options.NamedPath(),
    help="An earlier report, or a store, to compare with: which findings are new, which are gone, which are the same. "
    "With --fail-on only new findings count.",
)
@options.option(
    "--from", "start", section=options.REPORTED, metavar="TIME",
    help="For a store: report from here on. TIME: ISO 8601, 12:03[:04], +90s or +5m after the first packet of the "
    "store, or @1700000300.5 (epoch).",
)
@options.option(
    "--to", "end", section=options.REPORTED, metavar="TIME", help="For a store: report up to here.",
)
@options.ZONE
@options.FORMAT
@options.REPORT_OUTPUT
@options.REDACT
@options.REDACT_KEY
@options.FAIL_ON
@options.verbosity_options
def command(
    path: str, other: str | None, start: str | None, end: str | None, zone: str, form: str, directory: str | None,
    redact: bool, redact_key: str | None, fail_on: str,
) -> None:
    """Shows the report.json of an earlier run again, or any period of a store, or compares it with that of another
    run. A directory that analyze -o wrote stands for the report.json in it; a store is named by its URL.

    messages.parquet and evidence/ are not written: they need the captures.

    \b
    Examples:
      sipaudit report out/report.json
      sipaudit report out/report.json --format csv
      sipaudit report after/report.json --compare before/report.json --fail-on warning
      sipaudit report sqlite:///sipaudit.db --from 2026-11-22 --to 2026-11-23 -o out
    """
    from sipaudit import pipeline
    from sipaudit.report import text
    from sipaudit.times import parse_zone, zone_doubt

    clock = parse_zone(zone)
    if doubt := zone_doubt(clock):
        terminal.warn(doubt)
    report, *others = pipeline.read_reports(
        [path] if other is None else [path, other], redact, redact_key, start=start, end=end, zone=clock)
    comparison = pipeline.compare(others[0], report, terminal.warn) if others else None
    if directory is not None:
        lacks = pipeline.render_files(report, directory, clock, comparison)
        terminal.note(f"wrote the report into {directory}; {lacks}")
    if comparison is None:
        program = "sipaudit" if redact else terminal.program()   # a path may name its user
        output.show(report, partial(text.render, program=program, again=_again(report)), clock, form)
    else:
        _show_comparison(comparison, report, form)
    if comparison is None:
        output.fail_on(report.findings, fail_on)
    else:
        output.fail_on(comparison.new, fail_on, "new finding")


def _again(report: Report) -> str | None:
    """What another command reads that shall see the same, while all captures are where they were; what a probe has
    heard is in none."""
    are_there = [isfile(capture.path) for capture in report.captures]  # noqa: PTH113 - Path's raises for a long name
    return "CAPTURE ..." if are_there and all(are_there) else None


def _show_comparison(comparison: Comparison, report: Report, form: str) -> None:
    from sipaudit.report import comparison as compared

    if form == "text":
        terminal.emit_text(compared.render(comparison, terminal.width(), terminal.has_color()))
    else:
        terminal.emit(_comparison_in_form(comparison, report, form))


def _comparison_in_form(comparison: Comparison, report: Report, form: str) -> Iterable[bytes]:
    from sipaudit.report import comparison as compared
    from sipaudit.report import document, junit

    if form == "csv":
        return compared.to_csv(comparison, report)
    if form == "junit":
        return [junit.to_junit(report, compared.known(comparison))]
    return compared.to_jsonl(comparison) if form == "jsonl" else [document.indented(comparison)]
