"""`sipaudit phones`: the table of phones, lines, servers and registrations."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING

import click

from sipaudit.cli import options, output, terminal
from sipaudit.cli.manual import Command
from sipaudit.cli.progress import progress
from sipaudit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

    from sipaudit.model.values import Report
    from sipaudit.pipeline import Job


@click.command("phones", cls=Command, short_help="List phones, lines, servers and registrations.")
@options.job_options
@options.option(
    "--at", section=options.REPORTED, metavar="TIME",
    help="Show where every line was at this time (written as for --from), instead of at the end of the capture.",
)
@options.option(
    "--draft-site", section=options.REPORTED, is_flag=True,
    help="Print a draft site file instead of tables, with the servers and lines that the captures show. Fill in the "
         "settings.",
)
@options.delivery_options
@options.progress_option
@options.verbosity_options
def command(job: Job, at: str | None, draft_site: bool, delivery: output.Delivery, show_progress: bool | None
            ) -> None:
    """Lists the phones of the captures with their lines, the server each line works with and its registrations.

    \b
    Examples:
      sipaudit phones outage.pcap --site site.yaml
      sipaudit phones outage.pcap --at 12:03:30
      sipaudit phones outage.pcap --at +5m --format csv > phones.csv
      sipaudit phones outage.pcap --draft-site > site.yaml
    """
    from sipaudit import pipeline
    from sipaudit.times import parse_zone

    if draft_site and (job.site is not None or delivery != output.Delivery("text", "never")):
        raise InputError("--draft-site prints a site file and nothing else, of captures alone",
                         fix="leave out --site, --format, -o and --fail-on")
    if at is not None and job.end is not None:
        raise InputError("--at and --to both say where reading ends", fix="leave --to out")
    with progress(show_progress) as display:
        report = pipeline.phones(job, at=at, output=delivery.output, progress=display, warn=terminal.warn,
                                 ending=True)
    if draft_site:
        terminal.emit_text(_draft(report, job))
        return
    output.deliver(report, partial(_text, at), parse_zone(job.zone), delivery, _csv)


def _draft(report: Report, job: Job) -> str:
    from sipaudit.report import site_draft

    if not any(line.working or line.registrations for line in report.lines):
        raise InputError("no phone was seen working with any server, so that there is nothing to draft",
                         fix="name captures in which phones register")
    paths = [capture.path for capture in report.captures] if job.redact else job.paths
    program = "sipaudit" if job.redact else terminal.program()   # a path may name its user
    return site_draft.draft(report, shlex.join(paths), program)


def _text(at: str | None, report: Report, clock: tzinfo, width: int, color: bool) -> str:
    from sipaudit.report import phones  # deferred: it brings much of the model, and captures can be read before

    return phones.render(report, clock, width, color, at)


def _csv(report: Report) -> Iterable[bytes]:
    from sipaudit.report import table

    return table.lines_to_csv(report.lines)
