"""The pipeline: packets → messages → lines → judged steps → report.  `Run.drive` shows all of it.

Everything is a stream with bounded state; the commands differ only in what they
take from the same run.

Each function imports the modules for reading, following and reporting itself: in
the main job, another process starts up and begins to read meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING

from sipaudit.errors import InputError, collecting, raise_together
from sipaudit.run.garbage import leave_whole, rare_collections
from sipaudit.run.job import Job, Output
from sipaudit.run.reader import getting_ready

if TYPE_CHECKING:
    from sipaudit.model.values import Finding, Report
    from sipaudit.report.comparison import Comparison
    from sipaudit.report.configuration import Checked, ShownLine
    from sipaudit.report.dissect import Dissection
    from sipaudit.report.exhibits import PlacedMessage
    from sipaudit.report.ladder import LadderRow
    from sipaudit.run.reading import Progress, Reading, Warn
    from sipaudit.sip.message import Message

__all__ = ["Job", "Output", "analyze", "compare", "config_check", "config_show", "events", "inspect", "ladder",
           "messages", "phones", "read_reports", "render_files"]

MANY = 20_000   # packets from which on freeing the results at exit takes noticeable time


def analyze(
    job: Job, *, output: Output | None = None, store: str | None = None, progress: Progress | None = None,
    warn: Warn = print, ending: bool = False,
) -> Report:
    """The main job: captures → phones and lines → replay → findings, and the files of `output`; the report is also
    written to the store with the URL `store`. `ending`: the process ends afterwards, so its results need not be freed.

    Raises InputError or InputErrors for problems that the user can fix, before any output.
    """
    with rare_collections(), getting_ready(job) as ready:
        from sipaudit.run.reading import Reading

        reading = Reading(job, warn, payloads=output is not None and not job.redact, reread=output is not None,
                          ready=ready)
        with reading.begun():
            from sipaudit.run.analysis import analyzed

            run, report = analyzed(reading, output, store, progress, warn)
    if ending and sum(health.packets for health in run.health) >= MANY:
        leave_whole((run, report))
    return report


def messages(job: Job, *, warn: Warn = print) -> Iterator[PlacedMessage]:
    """Every SIP message of the job's span with the phone, line and server it belongs to. These are known only at the
    end of the captures, which are therefore read twice."""
    from sipaudit.run import second_pass
    from sipaudit.run.run import Run

    run = Run(job, warn, reread=True)
    second_pass.find_out_who(run)
    return (placed for placed in second_pass.messages(run) if run.span.holds(placed.item.time))


def read_reports(
    paths: Sequence[str], redact: bool = False, redact_key: str | None = None, *, start: str | None = None,
    end: str | None = None, zone: tzinfo = UTC,
) -> list[Report]:
    """Read the reports of earlier runs: each path is a `report.json`, its directory, or the URL of a store. With
    `redact`, all reports get the same pseudonyms. `start` and `end` (TIMEs, in `zone`) select a period of the first
    path, which must then be a store. Raises InputError, or InputErrors with all that cannot be read."""
    from sipaudit.report import document
    from sipaudit.run import storing
    from sipaudit.run.hiding import hiding_for
    from sipaudit.store.urls import is_store

    hiding = hiding_for(redact, redact_key)
    period = storing.period(start, end, zone)
    if paths and (start or end) and not is_store(paths[0]):
        raise InputError("--from and --to choose from a store", fix="leave them out for a report.json", file=paths[0])
    reports: list[Report] = []
    errors: list[InputError] = []
    for number, path in enumerate(paths):
        with collecting(errors):
            reports.append(storing.read(path, None if number else period) if is_store(path) else document.read(path))
    raise_together(errors)
    return reports if hiding is None else [hiding.redaction.report(report) for report in reports]


def compare(before: Report, after: Report, warn: Warn = print) -> Comparison:
    """Compare two runs: which findings are new, gone, or the same."""
    from sipaudit.report import comparison

    if doubt := comparison.strangers(before, after):
        warn(doubt)
    return comparison.compare(before, after)


def render_files(report: Report, directory: str, clock: tzinfo, compared: Comparison | None = None) -> str:
    """Write those files of `-o` that need no captures; returns a text about what could not be written."""
    from sipaudit.run.output import write_again

    return write_again(report, directory, clock, compared)


def phones(
    job: Job, *, at: str | None = None, output: Output | None = None, progress: Progress | None = None,
    warn: Warn = print, ending: bool = False,
) -> Report:
    """The report as of the time `at` (a TIME; default: the end)."""
    until = job if at is None else replace(job, end=at, end_option="--at")
    return analyze(until, output=output, progress=progress, warn=warn, ending=ending)


def ladder(
    job: Job, *, line: str | None = None, call_id: str | None = None, finding: str | None = None,
    progress: Progress | None = None, warn: Warn = print,
) -> list[LadderRow]:
    """The messages of a line, of a call, or around the evidence of a finding, in order. Raises InputError for a finding
    that the analysis does not have, and for a line that the captures do not have."""
    from sipaudit.run.hiding import hiding_for
    from sipaudit.run.ladder import LadderRows, must_be_of
    from sipaudit.run.run import Run

    hiding = hiding_for(job.redact, job.redact_key)
    plain = replace(job, redact=False, redact_key=None)
    reading, chosen = (None, None) if finding is None else _found(plain, finding, warn)
    if chosen is not None:
        must_be_of(chosen, line)
    rows = LadderRows(line=line, call_id=call_id, finding=chosen)
    run = Run(job, warn, note=rows.note, reading=reading)
    run.drive(progress)
    drawn = rows.done(run, warn)
    return drawn if hiding is None else list(map(hiding.row, drawn))


def _found(job: Job, name: str, warn: Warn) -> tuple[Reading, Finding]:
    """The finding of the job with this name, and a new reading of its captures. Raises InputError if there is no such
    finding."""
    from sipaudit.run.analysis import analyzed
    from sipaudit.run.ladder import finding_named
    from sipaudit.run.reading import Reading

    reading = Reading(job, warn, payloads=False, reread=True)
    _, report = analyzed(reading, None, None, None, warn)
    return Reading(job, warn, payloads=True, reread=False, before=reading), finding_named(report, name)


def events(job: Job, *, line: str | None = None, progress: Progress | None = None, warn: Warn = print
           ) -> Iterator[str]:
    """The capture in the scenario language, as lines of text; the part of each phone's line begins with its headers."""
    from sipaudit.run.hiding import hiding_for
    from sipaudit.run.run import Run
    from sipaudit.run.transcripts import Transcripts

    hiding = hiding_for(job.redact, job.redact_key)
    transcripts = Transcripts()
    run = Run(job, warn, listener=transcripts.take)
    run.auditor.faults.left_open = transcripts.left_open
    run.drive(progress)
    told = transcripts.text(run, line, warn)
    if hiding is None:
        return told
    hiding.redaction.learn(run.report())
    return map(hiding.redaction.transcript, told)


def config_check(
    paths: Sequence[str], *, rules: Sequence[str] = (), suppress: str | None = None, warn: Warn = print
) -> Checked:
    """Check provisioning files. Raises InputErrors for files that cannot be read."""
    from sipaudit.report.configuration import checked
    from sipaudit.rulebook.in_force import load_rules
    from sipaudit.run import provisioning
    from sipaudit.settings.provisioning import Provisioning

    errors: list[InputError] = []
    with collecting(errors):
        pack, suppressions = load_rules(rules, suppress, UTC)
    with collecting(errors):
        files = Provisioning(paths)
    raise_together(errors)
    findings, idle = suppressions.mark(provisioning.check(files, pack.settings), 0.0)
    for sentence in idle:
        warn(sentence)
    return checked(len(files.phones), files.count(), findings)


def config_show(target: str, config: Sequence[str] = ()) -> list[ShownLine]:
    """The effective settings of each line: `target` is a path, or the MAC of a phone in `config`. Raises InputError."""
    from sipaudit.run import provisioning

    return provisioning.show(target, config)


def inspect(
    capture: str, frames: Sequence[int], *, keylog: str | None = None
) -> list[tuple[Dissection, list[Message]]]:
    """Wireshark's dissection of frames, each with our parse of the messages that the frame completes.

    Raises InputError without tshark, and for a frame that the capture does not have.
    """
    from sipaudit.capture.captures import Captures
    from sipaudit.capture.files import resolve
    from sipaudit.report.dissect import dissect
    from sipaudit.sip.datagram import Datagram
    from sipaudit.sip.parse import parse

    files = resolve((capture,), reread=True).files
    dissections = dissect(files[0].source, frames, keylog=keylog)
    own: dict[int, list[Message]] = {frame: [] for frame in frames}
    for item in Captures(files, keylog=keylog):
        if isinstance(item, Datagram) and item.frame in own:
            own[item.frame].append(parse(item.payload))
    return [(dissection, own[dissection.frame]) for dissection in dissections]
