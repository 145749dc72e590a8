"""One pass over the captures of a job: the route from packets to judged steps, and the report at its end."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Protocol

from msgspec.structs import replace

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import CaptureFile, resolve
from sipaudit.incidents.chronicle import Chronicle, beyond_bounds
from sipaudit.incidents.known import Known, called
from sipaudit.incidents.minutes import rows
from sipaudit.model.events import ModelEvent
from sipaudit.model.profile import vouched
from sipaudit.model.values import Finding, KnownEvent, Report, ServerSummary, moment
from sipaudit.reconstruct.reconstruction import Reconstruction, SeenMessage
from sipaudit.reconstruct.servers import Server
from sipaudit.rulebook.faults import in_order
from sipaudit.rulebook.rules import RulePack
from sipaudit.run.auditor import Auditor, Naming
from sipaudit.run.job import Brief, Job, understand
from sipaudit.run.provisioned import issue_findings
from sipaudit.run.summary import Span, build, capture_summary, estimate
from sipaudit.safe_text import safe_path
from sipaudit.settings.declaring import Declarations
from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.message import Message
from sipaudit.sip.parse import parse

COLLECT_AFTER = (200_000, 20, 100)  # allocations, and how often the older generations are looked at
AHEAD = 256             # items parsed in one go
HOLE = 120.0            # seconds between the end of one capture and the beginning of the next
FRAMES_KEPT = 50_000    # messages of several frames whose frames are remembered

Warn = Callable[[str], None]
Observer = Callable[[SeenMessage], None]
Listener = Callable[[ModelEvent], None]


class Progress(Protocol):
    """Is told how far reading has come, in bytes; a total of 0 is unknown."""

    def start(self, total_bytes: int) -> None: ...
    def advance(self, n: int) -> None: ...
    def stop(self) -> None: ...


class SiteKnowledge:
    """What reconstruction may ask of what is declared."""

    def __init__(self, declared: Declarations) -> None:
        self.entries = declared.entries
        self.declare = declared.declare
        self.declares_phone = declared.declares_phone
        self.emergency = frozenset(declared.site.emergency)


class Run:
    """A job under way. Making one checks everything that can be checked before a packet is read.

    `observer` sees every message, `listener` every model event; `reread` says that the captures will be read twice,
    so that a pipe is spooled.
    """

    def __init__(self, job: Job, warn: Warn, *, observer: Observer | None = None, listener: Listener | None = None,
                 reread: bool = False) -> None:
        self.job = job
        self._observer = observer
        self._listener = listener
        self._brief: Brief = understand(job)
        self.warn = warn
        timed = any(when is not None for when in (self._brief.start, self._brief.end)) or bool(self._brief.events)
        resolved = resolve(job.paths, reread=reread or timed or job.keylog is not None or job.engine == "tshark")
        for skipped in resolved.skipped:
            warn(f"skipped {skipped}")
        for sentence in self._brief.site.warnings:
            warn(sentence)
        self._open(resolved.files)

    def _open(self, files: list[CaptureFile]) -> None:
        self.files = files
        brief = self._brief
        first = self._first = min((file.first for file in files if file.first is not None), default=0.0)
        self.span = Span(None if brief.start is None else brief.start.resolve(first),
                         None if brief.end is None else brief.end.resolve(first))
        self._events = [KnownEvent(moment(when.resolve(first)), what) for when, what in brief.events]
        self._progress: Progress | None = None
        self.captures = self.reading(self._advance)
        self._named: dict[str, str] = {}
        self._frames: dict[tuple[int, int], tuple[int, ...]] = {}
        self.reconstruction = self.reconstructing(self._observer)
        self.naming = Naming([safe_path(file.path) for file in files], self.server, self._frames)
        self.auditor = Auditor(brief.pack.rules, self.reconstruction.lines, self.naming, brief.site.tolerances,
                               brief.pack.incidents)
        self.auditor.tolerances_of = brief.pack.tolerances_of(brief.site.tolerances)
        self.auditor.since, self.auditor.began = self.span.start, first
        self.auditor.loss, self.auditor.steps = self._loss, self._steps

    def reading(self, progress: Callable[[int], None] | None = None) -> Captures:
        """The captures from their beginning; every time they say the same, unless a pipe was not spooled."""
        brief, job = self._brief, self.job
        return Captures(
            self.files, engine=job.engine, bpf=job.bpf, keylog=job.keylog, progress=progress,
            until=None if brief.end is None else self.span.end,
            sip_ports={server.port for entry in brief.declared.entries.values() for server in entry.servers},
        )

    def reconstructing(self, observer: Observer | None) -> Reconstruction:
        """A reconstruction at its beginning, which numbers phones and lines as every other one of this run does."""
        return Reconstruction(SiteKnowledge(self._brief.declared), observer=observer)

    def _advance(self, count: int) -> None:
        if self._progress is not None:
            self._progress.advance(count)

    @property
    def pack(self) -> RulePack:
        """The rules in force."""
        return self._brief.pack

    def drive(self, progress: Progress | None = None) -> None:
        """The whole route, packet by packet."""
        self._progress = progress
        if progress is not None:
            progress.start(sum(file.size for file in self.files))
        with rare_collections():
            self._feed_all()
        self.reconstruction.finish()
        self.auditor.finish(self._last())

    def _last(self) -> float:
        """The time of the last packet read, seconds since the epoch."""
        return max((health.last for health in self.captures.health if health.last is not None), default=0.0)

    def _feed_all(self) -> None:
        feed, take, listener = self.reconstruction.feed, self.auditor.take, self._listener
        begun: set[int] = set()
        for item, message in parsed_ahead(self.captures):
            if item.capture not in begun:
                self._look_for_a_hole(item.capture, begun)
                begun.add(item.capture)
            if type(item) is Datagram and item.frames:
                self._remember(item)
            for event in feed(item, message):
                take(event)
                if listener is not None:
                    listener(event)

    def _look_for_a_hole(self, capture: int, begun: set[int]) -> None:
        """What happened between two captures that do not follow each other is not known: the view begins anew."""
        health = self.captures.health
        before = max((health[index].last or 0.0 for index in begun), default=None)
        first = health[capture].first
        if before is not None and first is not None and first - before > HOLE:
            self.auditor.began = first

    def _steps(self) -> tuple[tuple[int, int, float], ...]:
        """Capture, frame and seconds of each step of a clock."""
        return tuple((index, frame, seconds) for index, health in enumerate(self.captures.health)
                     for frame, _, seconds in health.clock_steps)

    def _remember(self, item: Datagram) -> None:
        """Keep the frames of a message that came in several, for evidence; the oldest are forgotten."""
        if len(self._frames) >= FRAMES_KEPT:
            del self._frames[next(iter(self._frames))]
        self._frames[item.capture, item.frame] = item.frames

    def _loss(self) -> float:
        """The share of packets that the captures lack, as far as it was measured until now."""
        traffic = self.reconstruction.traffic
        return max((estimate(health, traffic.get(index)) for index, health in enumerate(self.captures.health)),
                   default=0.0)

    def server(self, key: str) -> str:
        """`10.0.0.1:5060/udp`: a server with the transport of its entry, else the first one seen."""
        if key not in self._named:
            self._named = {one.key: f"{one.key}/{_transport(one)}" for one in self.reconstruction.servers}
        return self._named.get(key, f"{key}/udp")

    def report(self) -> Report:
        """What was found, once the route has been driven."""
        traffic = self.reconstruction.traffic
        captures = [capture_summary(health, traffic.get(index)) for index, health in enumerate(self.captures.health)]
        servers = [ServerSummary(self.server(server.key), server.name, server.entry.name if server.entry else None,
                                 server.priority, list(server.transports)) for server in self.reconstruction.servers]
        servers.sort(key=lambda row: (row.entry or "~", row.priority or 0, row.server))
        with rare_collections():
            report = build(self.auditor, self.reconstruction.lines, captures, servers, self._events, self.span,
                           min(self._last(), self.span.end))
        if self._brief.declared.provisioned:
            report = replace(report, findings=in_order([*self._of_settings(), *report.findings]))
        return self._with_incidents(self._with_rules_said(report))

    def _with_incidents(self, report: Report) -> Report:
        """The report with its incidents, under which the findings stand that they explain, and with its minutes."""
        known = Known(self._events, {one.key: called(one.key, one.name) for one in self.reconstruction.servers})
        chronicle = Chronicle(self.auditor.watch, self.auditor.everyone(), known, self.server, self.span.touches)
        findings, incidents = chronicle.link(report.findings)
        notes = [*report.notes, *beyond_bounds(self.auditor.watch)]
        return replace(report, findings=findings, incidents=incidents, notes=notes, minutes=rows(
            ((key, minute) for key, server in self.auditor.watch.tally.servers.items()
             for minute in server.minutes.values() if self.span.touches(minute.time, minute.end)), self.server))

    def _of_settings(self) -> list[Finding]:
        """What is to be said of the provisioning files of the lines that were seen."""
        shown = [line for line in self.reconstruction.lines.values() if line.last >= self.span.start]
        issues = [(issue, line.aor) for line in shown for issue in self._brief.declared.issues(
            line.identity, line.firmware, vouched(line.model, line.firmware))]
        return issue_findings(issues, self._brief.pack.settings)

    def _with_rules_said(self, report: Report) -> Report:
        """The report with what `--rules` and `--suppress` have to say of it."""
        findings, idle = self._brief.suppressions.mark(report.findings, self._first)
        for sentence in idle:
            self.warn(sentence)
        return replace(report, findings=findings, notes=list(self._brief.pack.notes))


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for garbage cycles rarely: nearly all values are frozen and form none, and the search visits them all."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def parsed_ahead(items: Iterable[Item]) -> Iterator[tuple[Item, Message | None]]:
    """Items with their messages, parsed a run of items at a time: going to and fro between reading, parsing and
    following with every message would cost a fifth of the whole, in what the processor's caches then lack."""
    rest = iter(items)
    while ahead := list(islice(rest, AHEAD)):
        messages = [parse(item.payload) if type(item) is Datagram else None for item in ahead]
        yield from zip(ahead, messages, strict=True)


def _transport(server: Server) -> str:
    """The transport of the server in its entry, else the first one seen."""
    listed = next((one for one in server.entry.servers if one.key == server.key), None) if server.entry else None
    return listed.transport if listed else next(iter(server.transports), "udp")
