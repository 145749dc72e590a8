"""`sipaudit phones`: the table of phones, lines, servers and registrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sipaudit.cli import options, output, terminal
from sipaudit.cli.manual import Command
from sipaudit.cli.progress import progress

if TYPE_CHECKING:
    from sipaudit.model.values import Report
    from sipaudit.pipeline import Job


@click.command("phones", cls=Command, short_help="List phones, lines, servers and registrations.")
@options.job_options
@options.option(
    "--at", section=options.REPORTED, metavar="TIME",
    help="Where every line was at this time (as --from), not at the end of the capture.",
)
@options.delivery_options
@options.progress_option
@options.verbosity_options
def command(job: Job, at: str | None, delivery: output.Delivery, show_progress: bool | None) -> None:
    """Lists the phones of the captures with their lines, the server each line works with and its registrations.

    \b
    Examples:
      sipaudit phones outage.pcap --site site.yaml
      sipaudit phones outage.pcap --at 12:03:30
      sipaudit phones outage.pcap --at +5m --format json
    """
    from sipaudit import pipeline

    with progress(show_progress) as display:
        report = pipeline.phones(job, at=at, output=delivery.output, progress=display, warn=terminal.warn,
                                 ending=True)
    output.deliver(report, _text, job.zone, delivery)


def _text(report: Report, zone: str, width: int, color: bool) -> str:
    from sipaudit.report import phones  # deferred: it brings much of the model, and captures can be read before

    return phones.render(report, zone, width, color)
