"""`sipaudit ladder`: the messages as a call-flow ladder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sipaudit.cli import options, terminal
from sipaudit.cli.manual import Command
from sipaudit.cli.progress import progress

if TYPE_CHECKING:
    from sipaudit.pipeline import Job


@click.command("ladder", cls=Command, short_help="Draw the messages as a call-flow ladder.")
@options.job_options
@options.LINE
@options.option("--call-id", section=options.REPORTED, metavar="ID", help="Only messages with this Call-ID.")
@options.option(
    "--finding", section=options.REPORTED, metavar="ID",
    help="Only what led to this finding (f-000001) of `analyze` with the same captures and options.",
)
@options.progress_option
@options.verbosity_options
def command(
    job: Job, line: str | None, call_id: str | None, finding: str | None, show_progress: bool | None
) -> None:
    """Draws who sent what to whom and when, with frame numbers as Wireshark counts them. Without --line, --call-id
    or --finding every SIP message is drawn.

    \b
    Examples:
      sipaudit ladder outage.pcap --line sip:1001@pbx.example.com
      sipaudit ladder outage.pcap --call-id 3848276298220188511@10.1.0.5
      sipaudit ladder outage.pcap --site site.yaml --finding f-000001
    """
    from sipaudit import pipeline
    from sipaudit.report import ladder
    from sipaudit.times import parse_zone

    with progress(show_progress) as display:
        rows = pipeline.ladder(
            job, line=line, call_id=call_id, finding=finding, progress=display, warn=terminal.warn
        )
    terminal.emit_text(ladder.render(rows, parse_zone(job.zone), terminal.width(), terminal.has_color()))
