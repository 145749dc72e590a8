"""All files of `-o`: the findings, and their evidence from a second pass over the captures."""

from __future__ import annotations

from contextlib import closing
from datetime import tzinfo
from pathlib import Path

from sipaudit.model.values import Report
from sipaudit.report import document, markdown, table
from sipaudit.report.comparison import Comparison
from sipaudit.report.evidence import Spool, write_evidence
from sipaudit.report.exhibits import FramePlace, frames_of, places_of, worst_first
from sipaudit.report.folder import EVIDENCE, Folder
from sipaudit.report.messages import batches, write_parquet
from sipaudit.report.redact_message import MessageRedaction
from sipaudit.rulebook.rules import RulePack
from sipaudit.run.first_rows import FirstRows
from sipaudit.run.garbage import rare_collections
from sipaudit.run.gathering import Gathering, RedactedGathering
from sipaudit.run.job import Output
from sipaudit.run.run import Run

FROM_CAPTURES = ("messages.parquet", EVIDENCE)
PAGE = "report.html"


@rare_collections()
def write_files(run: Run, report: Report, wanted: Output, messages: FirstRows | MessageRedaction) -> None:
    """Write the files of contract.md 1 for a finished run (made with `reread`). All appear at once, or none.

    `messages` are the rows that the run has collected, or the redaction that replaces all identifying data: then the
    messages are read again.
    """
    from sipaudit.report import html  # deferred: it imports the template engine
    from sipaudit.run.dissections import dissections

    worst = worst_first(report.findings)
    proven = [finding for finding in worst if any(frames_of(finding))][:wanted.evidence]
    embedded, evidence = set(places_of(worst[:wanted.embed])), set(places_of(proven))
    hiding = None if isinstance(messages, FirstRows) else messages
    if hiding is not None:
        report = hiding.redaction.report(report)
        shown = {finding.id: finding for finding in report.findings}
        proven = [shown[finding.id] for finding in proven]
    with Folder(wanted.directory) as folder, closing(Spool()) as spool:
        gathering = _gathered(run, messages, embedded, evidence, spool, folder.path("messages.parquet"))
        paths = {finding.id: folder.path(f"{EVIDENCE}/{finding.id}.pcapng") for finding in proven}
        write_evidence(proven, spool, gathering.parts, paths)
        write_rendered(folder, report, run.brief.zone, run.brief.pack)
        # Wireshark reads the original packets: with redaction nothing is dissected
        read = dissections(spool, worst[:wanted.embed], run.warn) if hiding is None else {}
        folder.path(PAGE).write_bytes(html.render(
            report, run.brief.zone, gathering.exhibits, read, wanted.embed, evidence=set(paths), rules=run.brief.pack))


def _gathered(run: Run, messages: FirstRows | MessageRedaction, embedded: set[FramePlace], evidence: set[FramePlace],
              spool: Spool, path: Path) -> Gathering:
    """Write all messages; returns what the other files need from the captures."""
    if isinstance(messages, FirstRows):
        messages.write(run, path)
        plain = Gathering(run, embedded, evidence, spool)
        plain.gather()
        return plain
    hidden = RedactedGathering(run, embedded, evidence, spool, messages)
    write_parquet(batches(hidden.messages()), path)
    return hidden


def write_again(report: Report, directory: str, clock: tzinfo, compared: Comparison | None) -> str:
    """Write the files that a report alone allows; returns a sentence on what is missing.

    Files that need the captures are left in place beside this very report, and are removed beside another.
    """
    from sipaudit.report import html

    standing = Path(directory) / "report.json"
    is_same = standing.is_file() and standing.read_bytes() == document.to_json(report)
    has_page = is_same and (Path(directory) / PAGE).is_file()  # it contains the messages, which a new page would lack
    with Folder(directory, kept=(*FROM_CAPTURES, PAGE) if is_same else ()) as folder:
        write_rendered(folder, report, clock)
        if not has_page:
            folder.path(PAGE).write_bytes(html.render(report, clock, {}, {}, 0, evidence=frozenset()))
        if compared is not None:
            folder.path("comparison.json").write_bytes(document.indented(compared))
    names = " and ".join(FROM_CAPTURES)
    return f"{names} are left as they are" if is_same else f"{names} need the captures (sipaudit analyze)"


def write_rendered(folder: Folder, report: Report, clock: tzinfo, rules: RulePack | None = None) -> None:
    """The files made from the report alone; `rules` are those in force (None: those that ship)."""
    with folder.path("report.json").open("wb") as stream:
        stream.writelines(document.pieces(report))
    folder.path("report.md").write_text(markdown.render(report, clock, rules), encoding="utf-8")
    with folder.path("findings.csv").open("wb") as stream:
        stream.writelines(table.to_csv(report.findings))
