"""All files of `-o`: what was found, and from a second pass over the captures what proves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sipaudit.model.values import Report
from sipaudit.report import comparison, document, html, markdown, table
from sipaudit.report.comparison import Comparison
from sipaudit.report.evidence import Spool, write_evidence
from sipaudit.report.exhibits import Exhibit, Place, PlacedMessage, frames_of, places_of, worst_first
from sipaudit.report.folder import EVIDENCE, Folder
from sipaudit.report.messages import write_parquet
from sipaudit.run import second_pass
from sipaudit.run.dissections import dissections
from sipaudit.run.run import Run

EMBEDDED = 500      # findings whose raw text report.html carries, unless said otherwise
EVIDENCE_FILES = 1_000
FROM_CAPTURES = ("messages.parquet", EVIDENCE)
PAGE = "report.html"
DECRYPTED = frozenset({"tls", "wss"})


@dataclass(frozen=True)
class Output:
    """What is wanted in a directory: the `evidence` worst findings as captures of their own (None: all of them), the
    raw text of the `embed` worst in the HTML."""

    directory: str
    evidence: int | None = EVIDENCE_FILES
    embed: int = EMBEDDED


def write_files(run: Run, report: Report, wanted: Output, zone: str) -> None:
    """Write the files of contract.md 1 for a run that was driven (made with `reread`). All appear at once, or none."""
    worst = worst_first(report.findings)
    proven = [finding for finding in worst if any(frames_of(finding))][:wanted.evidence]
    second = _Second(run, places_of(worst[:wanted.embed]), places_of(proven))
    with Folder(wanted.directory) as folder:
        write_parquet(second.messages(), folder.path("messages.parquet"))
        second.fetch_packets()
        paths = {finding.id: folder.path(f"{EVIDENCE}/{finding.id}.pcapng") for finding in proven}
        write_evidence(proven, second.spool, second.parts, paths)
        write_rendered(folder, report, zone)
        frames = [(frame.capture, frame.frame) for finding in worst[:wanted.embed] for frame in frames_of(finding)
                  if frame.frame is not None]
        read = dissections(second.spool, dict.fromkeys(frames), run.warn)
        folder.path(PAGE).write_bytes(html.render(
            report, zone, second.exhibits, read, wanted.embed, evidence=set(paths), rules=run.pack))


def write_again(report: Report, directory: str, zone: str, compared: Comparison | None) -> str:
    """Write what a report alone allows; gives a sentence on what it lacks.

    Files that need the captures stay where they stand beside this very report, and are removed beside another.
    """
    standing = Path(directory) / "report.json"
    is_same = standing.is_file() and standing.read_bytes() == document.to_json(report)
    has_page = is_same and (Path(directory) / PAGE).is_file()  # it has the messages, which a new one would lack
    with Folder(directory, kept=(*FROM_CAPTURES, PAGE) if is_same else ()) as folder:
        write_rendered(folder, report, zone)
        if not has_page:
            folder.path(PAGE).write_bytes(html.render(report, zone, {}, {}, 0, evidence=frozenset()))
        if compared is not None:
            folder.path("comparison.json").write_bytes(comparison.to_json(compared))
    names = " and ".join(FROM_CAPTURES)
    return f"{names} are left as they are" if is_same else f"{names} need the captures (sipaudit analyze)"


def write_rendered(folder: Folder, report: Report, zone: str) -> None:
    """The files for which the report is enough."""
    folder.path("report.json").write_bytes(document.to_json(report))
    folder.path("report.md").write_text(markdown.render(report, zone), encoding="utf-8")
    with folder.path("findings.csv").open("wb") as stream:
        stream.writelines(table.to_csv(report.findings))


class _Second:
    """What the second pass brings: `exhibits` for the findings that are embedded, `parts` and `spool` for evidence."""

    def __init__(self, run: Run, embedded: set[Place], evidence: set[Place]) -> None:
        self._run = run
        self._embedded = embedded
        self._evidence = evidence
        self.exhibits: dict[Place, list[Exhibit]] = {}
        self.parts: dict[Place, tuple[int, ...]] = {}
        self.spool = Spool()

    def messages(self) -> Iterator[PlacedMessage]:
        """The messages of the run's span; all are looked at on their way, for proof may be older."""
        for placed in second_pass.messages(self._run):
            place = placed.capture, placed.item.frame
            if place in self._embedded:
                self.exhibits.setdefault(place, []).append(second_pass.exhibit(placed))
            if place in self._evidence:
                self._prove(place, placed)
            if self._run.span.holds(placed.item.time):
                yield placed

    def _prove(self, place: Place, placed: PlacedMessage) -> None:
        item = placed.item
        if item.frames:
            self.parts[place] = item.frames
        if item.flow.transport in DECRYPTED:
            self.spool.note(place, "decrypted:\n" + item.payload.decode("utf-8", "replace"))

    def fetch_packets(self) -> None:
        """The frames of the evidence; messages of several frames must have been seen before."""
        wanted = self._evidence | {(path, frame) for (path, _), frames in self.parts.items() for frame in frames}
        for packet in second_pass.packets(self._run, wanted):
            self.spool.add(packet)
