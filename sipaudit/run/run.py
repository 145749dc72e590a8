"""One pass over the captures of a job: the route from their first packet to their last, and the report at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

from sipaudit.capture.captures import Captures
from sipaudit.capture.files import CaptureFile, resolve
from sipaudit.model.values import Report
from sipaudit.reconstruct.four_in_a_row import FOUR
from sipaudit.reconstruct.whose import Note
from sipaudit.run.job import Brief, Job, understand
from sipaudit.run.reader import processes, reading_apart, reading_here
from sipaudit.run.route import Listener, Observer, Route, rare_collections
from sipaudit.sip.forms import Parsed, Repeat
from sipaudit.times import Span, span_of

HOLE = 120.0            # seconds between the end of one capture and the beginning of the next

Warn = Callable[[str], None]


class Progress(Protocol):
    """Is told how far reading has come, in bytes; a total of 0 is unknown."""

    def start(self, total_bytes: int) -> None: ...
    def advance(self, n: int) -> None: ...
    def stop(self) -> None: ...


class Run(Route):
    """A job under way. Making one checks everything that can be checked before a packet is read.

    `observer` sees every message, `note` is told whose it is, `listener` sees every model event; `reread` says that
    the captures will be read twice, so that a pipe is spooled.
    """

    def __init__(self, job: Job, warn: Warn, *, observer: Observer | None = None, note: Note | None = None,
                 listener: Listener | None = None, reread: bool = False) -> None:
        brief = understand(job)
        timed = any(when is not None for when in (brief.start, brief.end)) or bool(brief.events)
        resolved = resolve(job.paths, reread=reread or timed or job.keylog is not None or job.engine == "tshark")
        for skipped in resolved.skipped:
            warn(f"skipped {skipped}")
        for sentence in brief.site.warnings:
            warn(sentence)
        self.job = job
        self.files: list[CaptureFile] = resolved.files
        self.warn = warn
        self._listener = listener
        self._progress: Progress | None = None
        first = min((file.first for file in self.files if file.first is not None), default=0.0)
        span = span_of(brief.start, brief.end, first)
        self._whole = observer is not None or note is not None
        self.captures = self._reading(brief, span, self._advance)
        super().__init__(brief, span, first, self.captures.health, observer=observer, note=note)
        self.auditor.registrations.in_short = listener is None

    def ahead(self) -> AbstractContextManager[Iterator[list[Parsed]]]:
        """What the captures say, with its messages, by as many processes as the job allows."""
        if self._processes() == 1:
            return reading_here(self.captures, payloads=self._whole)
        return reading_apart(partial(self._reading, self.brief, self.span), payloads=self._whole, health=self.health,
                             read=self._advance)

    def ahead_again(self) -> AbstractContextManager[Iterator[list[Parsed]]]:
        """The same from the beginning; every time it is the same, unless a pipe was not spooled."""
        if self._processes() == 1:
            return reading_here(self.captures_again(), payloads=True)
        return reading_apart(partial(self._reading, self.brief, self.span), payloads=True)

    def captures_again(self) -> Captures:
        """The captures, to be read from the beginning."""
        return self._reading(self.brief, self.span, None)

    def _processes(self) -> int:
        sizes = [file.size for file in self.files]
        return processes(self.job.jobs, sum(sizes) if all(sizes) else 0)

    def _reading(self, brief: Brief, span: Span, progress: Callable[[int], None] | None) -> Captures:
        job = self.job
        return Captures(
            self.files, engine=job.engine, bpf=job.bpf, keylog=job.keylog, progress=progress,
            until=None if brief.end is None else span.end,
            sip_ports={server.port for entry in brief.declared.entries.values() for server in entry.servers},
        )

    def _advance(self, count: int) -> None:
        if self._progress is not None:
            self._progress.advance(count)

    def drive(self, progress: Progress | None = None) -> None:
        """The whole route, packet by packet."""
        with rare_collections(), self.ahead() as ahead:  # before a progress display has threads
            self._progress = progress
            if progress is not None:
                progress.start(sum(file.size for file in self.files))
            self._feed_all(ahead)
        self.reconstruction.finish()
        self.auditor.finish(self._last())

    def _last(self) -> float:
        """The time of the last packet read, seconds since the epoch."""
        return max((health.last for health in self.health if health.last is not None), default=0.0)

    def _feed_all(self, ahead: Iterator[list[Parsed]]) -> None:
        """All items: of renewals, which most are, as many in one go as can be."""
        renewed, follow, listener = self.reconstruction.renewed, self.follow, self._listener
        begun: set[int] = set()
        for run in ahead:
            at, end = 0, len(run)
            while at < end:
                item, message, form = run[at]
                if type(item) is Repeat and renewed(run, at):
                    at += FOUR
                    continue
                at += 1
                if item.capture not in begun:
                    self._look_for_a_hole(item.capture, begun)
                    begun.add(item.capture)
                events = follow(item, message, form)
                if listener is not None:
                    for event in events:
                        listener(event)

    def _look_for_a_hole(self, capture: int, begun: set[int]) -> None:
        """What happened between two captures that do not follow each other is not known: the view begins anew."""
        health = self.health
        before = max((health[index].last or 0.0 for index in begun), default=None)
        first = health[capture].first
        if before is not None and first is not None and first - before > HOLE:
            self.auditor.view_begins(first)

    def report(self) -> Report:
        """What was found, once the route has been driven."""
        return self.report_at(self._last(), self.warn)
