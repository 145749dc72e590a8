"""One pass over the captures of a job: the route from the first packet to the last, and the report at its end."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from msgspec.structs import replace

from sipaudit.incidents.chronicle import beyond_bounds
from sipaudit.model.events import NO_LINE, Lost
from sipaudit.model.values import Report
from sipaudit.reconstruct.four_in_a_row import FOUR
from sipaudit.reconstruct.traffic import Traffic
from sipaudit.reconstruct.whose import Note
from sipaudit.rulebook.telling import in_order
from sipaudit.run.brief import understand
from sipaudit.run.clocks import Clocks
from sipaudit.run.disordered import another_said, behind_said, disorder_said
from sipaudit.run.garbage import rare_collections
from sipaudit.run.holes import Break, break_before
from sipaudit.run.job import Job
from sipaudit.run.reading import Progress, Reading, Warn
from sipaudit.run.route import Listener, Route
from sipaudit.run.summary import build
from sipaudit.run.taps import Taps
from sipaudit.run.unheard import begins_later, outside, unanswered
from sipaudit.sip.datagram import Item
from sipaudit.sip.forms import Parsed, Repeat
from sipaudit.times import format_time


class Run(Route):
    """A job in progress. Making one checks everything that can be checked before a packet is read.

    `note` is called with every message and the phone and line it belongs to, `listener` with every model event;
    `reread`: the captures will be read twice, so that a pipe is spooled. `reading` is the job's, if it was made before;
    with a `note` it must parse messages whole.
    """

    __slots__ = ("_listener", "_taps", "_unbroken", "job", "reading", "warn")

    def __init__(self, job: Job, warn: Warn, *, note: Note | None = None, listener: Listener | None = None,
                 reread: bool = False, reading: Reading | None = None) -> None:
        if reading is None:
            reading = Reading(job, warn, payloads=note is not None, reread=reread)
        super().__init__(understand(job, reading.scope), reading.span, reading.first, reading.captures.health,
                         note=note)
        self.job = job
        self.warn = warn
        self._taps = Taps(reading.captures.health)
        self._unbroken = -inf   # since when the captures show all traffic, in seconds
        self.reading = reading
        self._listener = listener
        self.auditor.registrations.in_short = self.auditor.calls.in_short = listener is None
        if listener is None:
            self.reconstruction.let_pass(self.auditor.lets_pass)

    def drive(self, progress: Progress | None = None) -> None:
        """Process all packets."""
        reading = self.reading
        with rare_collections(), reading.ahead() as ahead:  # before a progress display has threads
            reading.progress = progress
            if progress is not None:
                progress.start(sum(file.size for file in reading.files))
            self._feed_all(ahead)
        self.reconstruction.finish()
        self.auditor.finish(self._ended())
        self.auditor.faults.finish(self.auditor.loss())
        self.reconstruction.let_go()
        self._look_for_an_empty_span()

    def _last(self) -> float:
        """The time of the last packet read, seconds since the epoch."""
        return max((health.last for health in self.health if health.last is not None), default=0.0)

    def _ended(self) -> float:
        """Until when the events are known: the end of the period if the captures continue after it (nothing came
        between their last packet and then), otherwise the last packet."""
        return self.span.end if self._goes_on() else self._last()

    def _look_for_an_empty_span(self) -> None:
        start, last, zone = self.span.start, self._last(), self.brief.zone
        if start > last:
            self.warn(f"--from {format_time(start, zone)} is after the last packet, {format_time(last, zone)}: "
                      "there is nothing to report")
        elif self.job.end_option == "--at" and not self._goes_on():
            self.warn(f"--at {format_time(self.span.end, zone)} is after the last packet: this is how "
                      f"things stood at {format_time(last, zone)}")

    def _goes_on(self) -> bool:
        """Whether the captures continue after the period."""
        end = self.span.end
        return any(one.goes_on for one in self.health) or any(
            file.first is not None and file.first > end for file in self.reading.files)

    def _feed_all(self, ahead: Iterator[list[Parsed]]) -> None:
        """Process all items; renewals, which are most of them, are taken whole where possible."""
        renewed, follow, listener = self.reconstruction.renewed, self.follow, self._listener
        pieced = self.reconstruction.pieced
        begun: set[int] = set()
        clocks = Clocks(self.health)
        several = len(self.health) > 1
        for batch in ahead:
            clocks.look()
            if several:
                self._taps.note(batch)
            at, end = 0, len(batch)
            while at < end:
                item, message, form = batch[at]
                if clocks.coming:
                    for step in clocks.passed(item):
                        self.set_back(step.before, step.after)
                if type(item) is Repeat and renewed(batch, at):
                    at += FOUR
                    if pieced:
                        self.remember(pieced)
                        pieced.clear()
                    continue
                at += 1
                if item.capture not in begun:
                    self._begins(item)
                    begun.add(item.capture)
                events = follow(item, message, form)
                if listener is not None:
                    for event in events:
                        listener(event)

    def _begins(self, item: Item | Repeat) -> None:
        """Handle the first item of a capture: a break before it, and its counters."""
        missed = break_before(self.health, item.capture)
        if missed is not None:
            self._unbroken = missed.until
            self.happened(missed.since, str(missed))
            if missed.long:
                self.auditor.view_begins(missed.until)
            else:
                self._may_lack(missed, item)
        self.reconstruction.traffic.setdefault(item.capture, Traffic(self._unbroken))

    def _may_lack(self, missed: Break, item: Item | Repeat) -> None:
        """Packets of any phone may have been missed in a break before this item."""
        for phone in tuple(self.reconstruction.phones):
            self.auditor.take(Lost(missed.until, item.capture, item.frame, phone, NO_LINE, "a break between captures",
                                   missed.since, over=True))

    def skew(self, host: str) -> float:
        """By how many seconds the clocks of captures that show a host may differ, once all has been read."""
        return self._taps.skew(host)

    # -- the report

    @rare_collections()
    def report(self) -> Report:
        """The report, once the route has been driven."""
        report = build(self.auditor, self.reconstruction.lines, self.captures_seen(), self.servers_seen(),
                       self.known_events, self.span, min(self._ended(), self.span.end))
        of_settings = self.of_settings(self.lines_shown())
        if of_settings:
            report = replace(report, findings=in_order([*of_settings, *report.findings]))
        return self._with_incidents(self._with_rules_said(report))

    def _with_rules_said(self, report: Report) -> Report:
        """The report with the effects of `--rules` and `--suppress`: suppressed findings marked, and notes added."""
        findings, idle = self.brief.suppressions.mark(report.findings, self._first)
        for sentence in idle:
            self.warn(sentence)
        return replace(report, findings=findings, notes=list(self.brief.pack.notes))

    def _with_incidents(self, report: Report) -> Report:
        """The report with its incidents, which are linked to the findings they explain, and with its minutes and notes.
        """
        findings, incidents = self.chronicle().link(report.findings)
        notes = [*report.notes, *begins_later(self.span, self._first), *self._clocks_said(),
                 *beyond_bounds(self.auditor.watch), *unanswered(report.lines, self.reconstruction.traffic.values()),
                 *outside(report.lines, report.servers)]
        return replace(report, findings=findings, incidents=incidents, notes=notes,
                       minutes=self.minutes(self.span.touches))

    def _clocks_said(self) -> list[str]:
        """Notes on clocks that differ, and on packets that are not in the order of their times."""
        return [*self._taps.said(line.owner.host for line in self.lines_shown()), *disorder_said(self.health),
                *behind_said(self.health, self.reconstruction.traffic), *another_said(self.health)]
