"""Taking a capture in: what is counted of every packet, and which of them go on to be decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from math import inf

from sipaudit.capture.away import Pauses, longest_rest, shows_media
from sipaudit.capture.bpf import BpfFilter
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Batch, Run, Span
from sipaudit.capture.prefilter import Prefilter

STEP_BACK = 0.5  # seconds; less is the jitter of capture queues: programs hand on blocks of up to 0.25 s
QUEUE = 1.0      # seconds; what lies between may be a slow queue as well, and is both said to be late and to be a step
LEAP = 86_400.0  # seconds forward without a packet: no phone is silent for a day
_DISORDER = 1.0  # seconds behind the end asked for in which earlier packets may still come


class Intake:
    """One capture's packets on their way in.

    `prefilter` is shared by all captures of a run, `bpf` is the user's filter, nothing later than `until` (seconds
    since the epoch) is taken in or counted. `pauses` has followed the capture that ended where this one begins.
    `is_in_order` is whether no packet of the run that was given last is earlier than one before it, which may be of a
    run before.
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
        self._newest = -inf                # the latest time, since the clock last stepped
        self._pauses = pauses or Pauses()
        self.is_in_order = True

    def runs(self, batches: Iterable[Batch]) -> Iterator[Run]:
        """What is worth decoding, in runs that are never empty."""
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
        """The packets of a batch that go on, and whether the end asked for has come."""
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
        """Whether media were counted, as they are once a batch is decoded; of the first some packets are looked at."""
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
        """Count packets and their time, and look for steps of the clock; `run` gives packets where one is likely."""
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
        """For steps of the clock, and packets that come too late."""
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
