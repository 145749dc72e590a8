"""Takes in the packets of a capture: counts all of them, and selects those to be decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import inf

from sipaudit.capture.away import Pauses, longest_rest, shows_media
from sipaudit.capture.bpf import BpfFilter
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Batch, Run, Span
from sipaudit.capture.prefilter import Prefilter

STEP_BACK = 0.5  # seconds; less is the jitter of capture queues: programs deliver blocks of up to 0.25 s
QUEUE = 1.0      # seconds; between STEP_BACK and this it may be a slow queue too: counted both as late and as a step
LEAP = 86_400.0  # seconds forward without a packet count as a clock step: no phone is silent for a day
_DISORDER = 1.0  # seconds of reading past `until`, since earlier packets may still come


class Intake:
    """Takes in the packets of one capture.

    `prefilter` is shared by all captures of a run, `bpf` is the user's filter; packets later than `until` (seconds
    since the epoch) are neither taken in nor counted. `pauses` has followed the capture that this one continues.
    `is_in_order`: no packet of the latest run is earlier than any packet before it, in this run or an earlier one.
    """

    def __init__(
        self, health: CaptureHealth, prefilter: Prefilter, bpf: BpfFilter | None = None, until: float | None = None,
        pauses: Pauses | None = None,
    ) -> None:
        self._health = health
        self._prefilter = prefilter
        self._bpf = bpf
        self._until = until
        self._before: float | None = None  # time of the packet before
        self._newest = -inf                # the latest time since the clock was last set back
        self._pauses = pauses or Pauses()
        self.is_in_order = True

    def runs(self, batches: Iterable[Batch]) -> Iterator[Run]:
        """The packets worth decoding, in runs that are never empty."""
        health = self._health
        for batch in batches:
            health.rest = longest_rest(batch, health.rest or 0, self._before)
            run, over = self._taken(batch)
            for away in self._pauses.away(batch, has_media=self._has_media(batch)):
                health.was_away(away)
            if self._bpf is not None:
                run = self._bpf.matching(run)
            if run:
                yield run
            if over:
                return

    def _taken(self, batch: Batch) -> tuple[Run, bool]:
        """The packets of a batch to be decoded, and whether reading can stop because `until` has passed."""
        sifted = self._prefilter.sift(batch)
        span = sifted.span
        if self._until is not None and span.latest > self._until:
            self._health.goes_on = True
            return self._up_to(self._until, batch.run()), span.latest > self._until + _DISORDER
        self._note(span, batch.run)
        self._count("rtp-like", sifted.rtp)
        self._count("udp", sifted.udp)
        return sifted.packets, False

    def _has_media(self, batch: Batch) -> bool:
        """Whether RTP was counted so far; it is counted only when batches are decoded, so the first one is sampled."""
        health = self._health
        return health.content["rtp-like"] > 0 or (health.packets == batch.length and shows_media(batch))

    def _up_to(self, until: float, run: Run) -> Run:
        run = run.chosen([position for position, time in enumerate(run.times) if time <= until])
        if run:
            self._note(run.span(), lambda: run)
        return run

    def _count(self, kind: str, number: int) -> None:
        if number:
            self._health.content[kind] += number

    def _note(self, span: Span, run: Callable[[], Run]) -> None:
        """Count packets, note their times and check for clock steps; `run` gives the packets if a step is likely."""
        health = self._health
        health.packets += span.packets
        if health.first is None:
            health.first = span.earliest if span.first - span.earliest <= STEP_BACK else span.first
        health.last = span.latest if health.last is None else max(health.last, span.latest)
        before = span.first if self._before is None else self._before
        self.is_in_order = span.ordered and span.earliest >= self._newest
        if not self.is_in_order or span.latest - before > LEAP:
            self._look_at_times(before, run())
        self._newest = max(self._newest, span.latest) if self.is_in_order else self._newest
        self._before = health.at = span.last

    def _look_at_times(self, before: float, run: Run) -> None:
        """Look for clock steps, and for packets that are late."""
        health, newest = self._health, self._newest
        for time, frame in zip(run.times, run.frames, strict=True):
            if not -STEP_BACK <= time - before <= LEAP:
                health.clock_step(frame, time, time - before)
                if time < before - QUEUE:
                    newest = time
            if time < newest:
                health.late += 1
                health.late_by = max(health.late_by, newest - time)
            newest = max(newest, time)
            before = time
        self._newest = newest
