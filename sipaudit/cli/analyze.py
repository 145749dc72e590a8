"""`sipaudit analyze`: captures in, what the phones did and whether they should have out."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING

import click

from sipaudit.cli import options, output, terminal
from sipaudit.cli.manual import Command
from sipaudit.cli.progress import progress

if TYPE_CHECKING:
    from datetime import tzinfo

    from sipaudit.model.values import Report
    from sipaudit.pipeline import Job


@click.command("analyze", cls=Command, short_help="Judge what the phones of a capture did.")
@options.job_options
@options.delivery_options
@options.STORE
@options.progress_option
@options.verbosity_options
def command(job: Job, delivery: output.Delivery, store: str | None, show_progress: bool | None) -> None:
    """Reads captures, finds phones and lines, replays each line through the reference model of SIP failover and
    reports every deviation with the frames that prove it.

    CAPTURE is a file, a glob, a directory or - (stdin): pcap or pcapng, also compressed (.gz, .zst, .lz4). Several
    captures are merged packet by packet where their times overlap.

    Without a site file, --config or --set it shows what happened, and counts as inconclusive what depends on settings:
    a phone is never accused on a guess.

    \b
    Examples:
      sipaudit analyze outage.pcap --site site.yaml
      sipaudit analyze captures/ --site site.yaml -o out --fail-on warning
      sipaudit analyze outage.pcap --set reRegisterOn=1 --set failBack.mode=duration
      sipaudit analyze outage.pcap --site site.yaml --store sqlite:///sipaudit.db
      zcat outage.pcap.gz | sipaudit analyze - --format json > report.json

    Exit codes: 0 done, 1 the tool failed, 2 usage or unreadable input, 3 findings at or above --fail-on,
    130 interrupted (nothing written).
    """
    from sipaudit import pipeline
    from sipaudit.times import parse_zone

    with progress(show_progress) as display:
        report = pipeline.analyze(job, output=delivery.output, store=store, progress=display, warn=terminal.warn,
                                  ending=True)
    program = "sipaudit" if job.redact else terminal.program()   # a path may name its user
    output.deliver(report, partial(_text, program=program, again=_again(job)), parse_zone(job.zone), delivery)


def _again(job: Job) -> str:
    """Arguments that make another command see the same, for a shell. Where they would not do (stdin), or must not be
    shown, the reader has to name the captures."""
    if job.redact or "-" in job.paths:
        return "CAPTURE ..."
    named = [("--site", job.site), *(("--config", path) for path in job.config),
             *(("--set", setting) for setting in job.settings), *(("--rules", path) for path in job.rules),
             ("--suppress", job.suppress), *(("--event", event) for event in job.events),
             ("--engine", None if job.engine == "auto" else job.engine), ("--filter", job.bpf),
             ("--tls-keylog", job.keylog), ("--from", job.start), ("--to", job.end),
             ("--tz", None if job.zone == "local" else job.zone)]
    options = [part for option, value in named if value is not None for part in (option, value)]
    return shlex.join([*job.paths, *options])


def _text(report: Report, clock: tzinfo, width: int, color: bool, program: str, again: str) -> str:
    from sipaudit.report import text  # deferred: it brings much of the model, and captures can be read before

    return text.render(report, clock, width, color, program=program, again=again)
