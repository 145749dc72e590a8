"""The main job: follow what is read, make the report, and write it."""

from __future__ import annotations

from sipaudit.model.values import Report
from sipaudit.run import storing
from sipaudit.run.hiding import hiding_for
from sipaudit.run.job import Output
from sipaudit.run.reading import Progress, Reading, Warn
from sipaudit.run.run import Run
from sipaudit.run.unheard import unheard


def analyzed(reading: Reading, output: Output | None, store: str | None, progress: Progress | None, warn: Warn
             ) -> tuple[Run, Report]:
    """Run the job of a reading; returns the run and its report, which is also written to the files of `output` and to
    the store with that URL. Messages that are parsed whole are noted during the run. Raises InputError or InputErrors
    before any output."""
    job = reading.job
    hiding = hiding_for(job.redact, job.redact_key)
    rows = None
    if output is not None:
        from sipaudit.run.first_rows import FirstRows  # deferred: most of report serves the files alone
        from sipaudit.run.output import write_files

        rows = FirstRows(reading.span) if hiding is None else None
    run = Run(job, warn, note=None if rows is None else rows.note, reading=reading)
    with storing.keeper(store) as keep:
        run.drive(progress)
        report = run.report()
        for sentence in unheard(run.brief.declared, run.lines_shown(), report.lines, report.servers):
            warn(sentence)
        messages = rows or hiding
        if output is not None and messages is not None:
            write_files(run, report, output, messages)
        if hiding is not None:
            report = hiding.redaction.report(report)
        keep(report)
    return run, report
