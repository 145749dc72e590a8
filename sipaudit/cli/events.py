"""`sipaudit events`: a capture in the scenario language."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sipaudit.cli import options, terminal
from sipaudit.cli.manual import Command
from sipaudit.cli.progress import progress

if TYPE_CHECKING:
    from sipaudit.pipeline import Job


@click.command("events", cls=Command, short_help="Print a capture in the scenario language of the tests.")
@options.job_options
@options.LINE
@options.progress_option
@options.verbosity_options
def command(job: Job, line: str | None, show_progress: bool | None) -> None:
    """Prints what happened to each line as timed text, > what the phone sends and < what it receives: the language
    in which the tests are written, so that an incident becomes a test by copy and paste.

    \b
    Examples:
      sipaudit events outage.pcap --line sip:1001@pbx.example.com
      sipaudit events outage.pcap --site site.yaml > incident.scenario
    """
    from sipaudit import pipeline

    with progress(show_progress, streaming=True) as display:
        for text in pipeline.events(job, line=line, progress=display, warn=terminal.warn):
            terminal.emit_text(f"{text}\n")
