"""Results out: to stdout in the chosen format, and into a directory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sipaudit.cli import terminal
from sipaudit.errors import InputError

if TYPE_CHECKING:
    from sipaudit.model.values import Finding, Report

    Render = Callable[[Report, str, int, bool], str]  # report, zone, columns, colour

FINDINGS = 3  # exit code: findings at or above --fail-on


@dataclass(frozen=True)
class Delivery:
    """How a report is wanted: `--format`, `--output`, `--fail-on`."""

    form: str
    directory: str | None
    fail_on: str

    def check(self) -> None:
        """Refuses a directory that cannot become ours, before any work is done; InputError."""
        if self.directory is None:
            return
        place = Path(self.directory)
        if place.exists() and not place.is_dir():
            raise InputError("is a file, --output needs a directory", fix="name another one", file=self.directory)
        standing = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
        if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
            raise InputError("cannot be written", fix="name another directory", file=self.directory)


def deliver(report: Report, render: Render, zone: str, wanted: Delivery) -> None:
    """The report into the directory, then to stdout; then exit code 3 if it holds what `--fail-on` names."""
    from sipaudit.report import document

    if wanted.directory is not None:
        replace_file(Path(wanted.directory), "report.json", document.to_json(report))
    if wanted.form == "text":
        terminal.emit_text(render(report, zone, terminal.width(), terminal.has_color()))
    else:
        terminal.emit([document.to_json(report)] if wanted.form == "json" else document.to_jsonl(report))
    fail_on(report.findings, wanted.fail_on)


def replace_file(directory: Path, name: str, content: bytes) -> None:
    """`content` as the file `name`, made aside and then renamed: a reader sees the old file or the new one."""
    directory.mkdir(parents=True, exist_ok=True)
    aside = directory / f".{name}.{os.getpid()}"
    try:
        aside.write_bytes(content)
        aside.replace(directory / name)
    finally:
        aside.unlink(missing_ok=True)
    terminal.note(f"wrote {directory / name}")


def fail_on(findings: Iterable[Finding], least: str) -> None:
    """Ends with exit code 3 when an unsuppressed finding is at least as severe as `least`."""
    if least == "never":
        return
    from sipaudit.model.values import Severity

    floor = Severity(least).rank
    count = sum(1 for finding in findings if finding.suppressed is None and finding.severity.rank >= floor)
    if count:
        terminal.note(f"{count} finding{'s' if count > 1 else ''} of severity {least} or above (--fail-on {least})")
        raise click.exceptions.Exit(FINDINGS)
