"""The route on live traffic: follows items as the sources give them, and passes time when there are none."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from math import inf
from typing import Any, NamedTuple

from sipaudit.live.ends import Source
from sipaudit.live.holding import HELD_FOR, Hold
from sipaudit.live.loss import RecentLoss
from sipaudit.run.ahead import parsed_ahead
from sipaudit.run.brief import Brief
from sipaudit.run.budget import AMPLE, Budget
from sipaudit.run.clocks import SLACK
from sipaudit.run.route import Route
from sipaudit.sip.datagram import Item
from sipaudit.times import Span, format_time

HELD, SILENT = "held", "silent"   # in a checkpoint: the items held back, and the seconds since the last packet
WORTH_TELLING = 1.0   # seconds of blindness
HALF_SEEN = 5.0    # seconds after which everything found while a source was away has been said
ON_THE_WAY = 1.0   # seconds for which packets still arrive that were captured before our clock was set

log = logging.getLogger(__name__)


class Leap(NamedTuple):
    """Our clock was set forward by so many `seconds`. Packets that arrive before `until` (monotonic time) and are not
    later than `last` were captured before that."""

    seconds: float
    last: float
    until: float


class Probe(Route):
    """The route with live `sources`, in the order of their `capture`. `began` is when it first listened (seconds since
    the epoch); `budget` bounds its tables, by default for a large site. When the clock was set, `clock_sets` is called
    before anything is done about it, and `clock_was_set` afterwards if it was set back."""

    def __init__(self, brief: Brief, sources: Sequence[Source], began: float, budget: Budget = AMPLE) -> None:
        self.sources = sources
        self.recent = RecentLoss()
        super().__init__(brief, Span(None, None), began, [source.health for source in sources], place=self._place,
                         budget=budget)
        self.newest = began
        self._at: float | None = None    # when the newest packet arrived, by the monotonic clock
        self._silent = 0.0               # seconds that an earlier run, which this one continues, had seen none
        self._looked = 0.0               # when the sources were last read, by the monotonic clock
        self.steps_back = self.steps_forward = 0
        self._ahead: float | None = None   # by how much the wall clock is ahead of the monotonic one
        self._leap: Leap | None = None     # not yet applied
        self._by_now = inf                 # no packet dated by our clock has a later time
        self._old: list[float | None] = [None] * len(sources)   # each source's `at` when our clock was set
        self._latest_seen = began
        # several taps each deliver in their own order, and files are read piece by piece
        taps = sum(source.taps for source in sources)
        self._hold = Hold(HELD_FOR if taps else 0.0) if max(taps, len(sources)) > 1 else None
        self._blind = self._blind_before = 0.0
        self._half_seen = -inf   # packet time when some, but not all, sources were last away
        self.begun = False
        self.clock_sets: Callable[[], None] = _nobody
        self.clock_was_set: Callable[[], None] = _nobody

    def _place(self, capture: int, frame: int) -> tuple[str, int | None]:
        return self.sources[capture].place(frame)

    def _mark_loss(self, now: float) -> None:
        self.recent.mark(now, self.health, self.reconstruction.traffic)

    def loss(self) -> float:
        """The share of packets that the sources lost recently; 1 while one is away and others see, and for HALF_SEEN
        seconds more, since the absent one might have shown anything."""
        return 1.0 if abs(self.newest - self._half_seen) <= HALF_SEEN else self.recent.share

    def _look_for_half_a_view(self) -> None:
        """Note whether a source is away while others see. HEP listeners do not count: nobody knows what an absent agent
        would show, or whether it comes back. Nor does a port that never saw a packet: it would show none now."""
        lacks = any(source.away and source.taps <= 1 and source.health.first is not None for source in self.sources)
        if lacks and not all(source.away for source in self.sources):
            self._half_seen = self.newest

    def skew(self, _host: str) -> float:
        """By how many seconds the clocks of agents differ, the same for all hosts: any agent may have shipped the
        messages of a host."""
        return max((health.agents_apart for health in self.health), default=0.0)

    def read(self, clock: float) -> int:
        """Read and follow what has arrived; `clock` is the monotonic time, in seconds. Returns the number of items."""
        if not self.recent.begun:
            self._mark_loss(self.newest)
        read = [self._of_now(source) for source in self.sources]
        self._begin()
        self._look_for_blindness(read, clock)
        self._look_for_step_back(clock)
        newest = self.latest()
        if self._hold is None:
            count = self._follow_all(chain.from_iterable(read), clock)
        else:
            self._hold.take(read, clock)
            count = self._follow_all(self._hold.ready(clock), clock)
            newest = min(newest, self._hold.earliest)
        if self._leap is not None:   # no item after the leap was followed yet
            newest = min(newest, self._leap.last - SLACK)
        self._looked = clock
        if newest > self.newest:
            self.newest, self._at = newest, clock
        elif self._at is None:
            self._at = clock - self._silent
        self._look_for_half_a_view()
        return count

    def _follow_all(self, items: Iterable[Item], clock: float) -> int:
        """Follow the items; returns their number."""
        count = 0
        for item, message, _ in chain.from_iterable(parsed_ahead(items)):
            if self._leap is not None and item.time > self._leap.last:
                self._set_forward(clock)
            self.follow(item, message)
            count += 1
        return count

    def _of_now(self, source: Source) -> Sequence[Item]:
        """The items that have arrived, without those captured before our clock was set back: they belong to the view
        that has ended, and their times are in the future."""
        items = source.read()
        if self.steps_back and source.by_our_clock and source.taps == 1:   # agents may be a little ahead
            return [item for item in items if item.time <= self._by_now]
        return items

    def let_go(self, clock: float) -> None:
        """Follow the items held back, because the clock that dates them changes now, or because no more will come."""
        if self._hold is not None:
            self._follow_all(self._hold.everything(), clock)

    def latest(self) -> float:
        """The latest time of the packets that each source gave last, without those from before our clock was set;
        `newest` if there are none."""
        return max((at for source, old in zip(self.sources, self._old, strict=True)
                    if (at := source.health.at) is not None and at != old
                    and not (source.by_our_clock and at > self._by_now)), default=self.newest)

    def _look_for_step_back(self, clock: float) -> None:
        """If packets arrive, and those of all sources are older than earlier ones, the clock was set back."""
        latest, before = self.latest(), self._latest_seen
        self._latest_seen = latest
        if latest != before and latest < self.newest - SLACK:
            self._set_back(self.newest, latest, clock)
            self._ahead = None   # our clocks show the same step, which is applied already

    def _set_back(self, before: float, now: float, clock: float) -> None:
        self.let_go(clock)
        self.clock_sets()
        log.warning("the clock was set back by %.1f s: what is known of the phones begins anew", before - now)
        self.steps_back += 1
        self.happened(now, f"the clock was set back, from {format_time(before, self.brief.zone)}")
        self.newest, self._at = now, clock
        self.set_back(before, now)
        self.clock_was_set()

    def look_at_clocks(self, wall: float, clock: float) -> None:
        """Called before a read with the wall and the monotonic time, in seconds: if their difference leaps, the clock
        was set, or the machine slept. A leap forward must not count as silence, which would let every deadline expire.
        A leap back may not show in the packets: after a long silence their times may still be later than before."""
        ahead, before = wall - clock, self._ahead
        self._ahead, self._by_now = ahead, wall + SLACK
        if self._leap is not None and clock >= self._leap.until:
            self.let_go(clock)
            self._set_forward(clock)
        if before is not None and abs(ahead - before) > SLACK and any(source.by_our_clock for source in self.sources):
            self._leaps(ahead - before, clock)

    def _leaps(self, seconds: float, clock: float) -> None:
        """Apply a leap, added to an earlier one that is not yet applied: together they may cancel out."""
        known, self._leap = self._leap, None
        seconds += 0.0 if known is None else known.seconds
        now = self.now(clock)
        self._old = [source.health.at for source in self.sources]
        if seconds > SLACK:
            self._leap = Leap(seconds, now + SLACK, clock + ON_THE_WAY)
        elif seconds < -SLACK:
            self._set_back(now, now + seconds, clock)

    def _set_forward(self, clock: float) -> None:
        """Apply a leap forward, unless following the held items has already done so."""
        leap, self._leap = self._leap, None
        if leap is None:
            return
        before = self.now(clock)
        now = before + leap.seconds
        self.clock_sets()
        log.warning("the clock was set forward by %.1f s, or the machine slept: what is known of the phones begins "
                    "anew", now - before)
        self.steps_forward += 1
        self.happened(before, f"the clock was set forward, to {format_time(now, self.brief.zone)}, or sipaudit slept")
        self.newest, self._at = now, clock
        self.auditor.view_begins(now)

    def _begin(self) -> None:
        """Let the view begin with the first packet, if that is older than our start, as in files and replays."""
        first = min((health.first for health in self.health if health.first is not None), default=None)
        if self.begun or first is None:
            return
        self.begun = True
        if first < self.newest:
            self.newest = self.auditor.profiles.began = first
            self._at, self._silent = None, 0.0
            self.clock_was_set()

    def _look_for_blindness(self, read: Iterable[Sequence[Item]], clock: float) -> None:
        """After a source could not see, phones may have done anything: the view begins anew with the first item."""
        blind = sum(source.blind for source in self.sources)
        if blind > self._blind:
            seconds, self._blind = blind - self._blind, blind
            if seconds >= WORTH_TELLING:
                self.happened(self.newest, f"a source saw nothing for {seconds:.0f} s")
            first = min((item.time for items in read for item in items), default=self.now(clock))
            self.auditor.view_begins(max(first, self.newest))

    def state(self) -> dict[str, Any]:
        """For a checkpoint: all that was learnt, the items held back, and the seconds passed since the last packet."""
        return super().state() | {HELD: [] if self._hold is None else list(self._hold.held),
                                  SILENT: self.now(self._looked) - self.newest}

    def go_on(self, state: dict[str, Any], last: float, now: float, blind: float, *, begun: bool = True) -> None:
        """Go on from the `state` that another run had learnt until `last`; from then to `now` nobody listened. That run
        was `blind` for so many seconds. `begun`: whether it saw any packet; if not, the first may be older than it."""
        self.restore(state)
        held = state.get(HELD, ())
        if self._hold is not None and now <= last:
            self._hold.take([held], float("-inf"))
        else:
            self._follow_all(held, 0.0)
        self.begun = begun
        self._blind_before = blind + max(now - last, 0.0)
        self.newest = last
        if now < last - SLACK:
            self._set_back(last, now, 0.0)
            self._at = None
        if now <= last:
            self._silent = state.get(SILENT, 0.0) if now == last else 0.0
            return
        self.newest = now
        until = format_time(self.newest, self.brief.zone)
        self.happened(last, f"sipaudit did not listen until {until}")
        self.auditor.view_begins(self.newest)

    @property
    def blind(self) -> float:
        """Seconds since the beginning in which a source could not see."""
        return self._blind_before + sum(source.blind for source in self.sources)

    def now(self, clock: float) -> float:
        """The packet time, which the monotonic clock carries on while no packets come."""
        since = self._silent if self._at is None else clock - self._at
        return self.newest + since

    def pass_time(self, clock: float, *, drained: bool) -> None:
        """Settle what time alone decides. `drained`: whether everything that had arrived was read, so that silence is
        real. Before the first packet, which may be older than our start, there is nothing to settle."""
        self._mark_loss(self.now(clock))
        if not self.begun:
            return
        silent = drained and not any(source.away for source in self.sources)
        self.auditor.pass_time((self.now(clock) if silent else self.newest) - SLACK)

    def finish(self) -> None:
        """No more packets will come: what is still open stays undecided."""
        self.let_go(self._at or 0.0)
        self.reconstruction.finish()
        self.auditor.finish(self.newest)


def _nobody() -> None:
    """The default callback."""
