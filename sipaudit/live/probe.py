"""The route on live traffic: what the sources give, followed as it comes, and time that passes without it."""

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

HELD, SILENT = "held", "silent"   # what is held back, and for how many seconds nothing had come, in a checkpoint
WORTH_TELLING = 1.0   # seconds
HALF_SEEN = 5.0    # seconds after which all was said that was found while a source was away
ON_THE_WAY = 1.0   # seconds in which packets still come that were captured before our clock was set

log = logging.getLogger(__name__)


class Leap(NamedTuple):
    """Our clock was set forward by so many `seconds`; the packets that come `until` then (by the monotonic one) and
    have no time after `last` were captured before."""

    seconds: float
    last: float
    until: float


class Probe(Route):
    """`sources` are in the order of their `capture`; `began` is when it first listened (seconds since the epoch);
    `budget` says how much its tables hold, by default what a large site may need. `clock_sets` is called when the clock
    was set, before anything is done about it, and afterwards `clock_was_set` where it was set back."""

    def __init__(self, brief: Brief, sources: Sequence[Source], began: float, budget: Budget = AMPLE) -> None:
        self.sources = sources
        self.recent = RecentLoss()
        super().__init__(brief, Span(None, None), began, [source.health for source in sources], place=self._place,
                         budget=budget)
        self.newest = began
        self._at: float | None = None    # when the newest came, by the monotonic clock
        self._silent = 0.0               # seconds since then, of another run that goes on in this one
        self._looked = 0.0               # when was read last, by that clock
        self.steps_back = self.steps_forward = 0
        self._ahead: float | None = None   # by how much the clock of this machine is ahead of its monotonic one
        self._leap: Leap | None = None     # of which nothing was made yet
        self._by_now = inf                 # no packet that our clock dates has a later time
        self._old: list[float | None] = [None] * len(sources)   # packets of each source before our clock was set
        self._latest_seen = began
        # each of several taps gives what it sees in its own order, and files are read piece by piece
        taps = sum(source.taps for source in sources)
        self._hold = Hold(HELD_FOR if taps else 0.0) if max(taps, len(sources)) > 1 else None
        self._blind = self._blind_before = 0.0
        self._half_seen = -inf   # when some of the sources were away the last time, by the packets of the others
        self.begun = False
        self.clock_sets: Callable[[], None] = _nobody
        self.clock_was_set: Callable[[], None] = _nobody

    def _place(self, capture: int, frame: int) -> tuple[str, int | None]:
        return self.sources[capture].place(frame)

    def _mark_loss(self, now: float) -> None:
        self.recent.mark(now, self.health, self.reconstruction.traffic)

    def loss(self) -> float:
        """The share of packets that the sources lacked of late: where one is away while others go on to see, what it
        would show may be anything."""
        return 1.0 if abs(self.newest - self._half_seen) <= HALF_SEEN else self.recent.share

    def _look_for_half_a_view(self) -> None:
        """Of an agent that went nobody knows what it would show, or whether it comes back, and a port that never showed
        anything would show nothing now."""
        lacks = any(source.away and source.taps <= 1 and source.health.first is not None for source in self.sources)
        if lacks and not all(source.away for source in self.sources):
            self._half_seen = self.newest

    def skew(self, _host: str) -> float:
        """By how many seconds the clocks of agents differ, of which any may have shipped what is known of a host."""
        return max((health.agents_apart for health in self.health), default=0.0)

    def read(self, clock: float) -> int:
        """Follow what has come; `clock` is a monotonic one's time, in seconds. How many items that were."""
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
        if self._leap is not None:   # nothing was followed yet that came after it
            newest = min(newest, self._leap.last - SLACK)
        self._looked = clock
        if newest > self.newest:
            self.newest, self._at = newest, clock
        elif self._at is None:
            self._at = clock - self._silent
        self._look_for_half_a_view()
        return count

    def _follow_all(self, items: Iterable[Item], clock: float) -> int:
        """How many items that were."""
        count = 0
        for item, message, _ in chain.from_iterable(parsed_ahead(items)):
            if self._leap is not None and item.time > self._leap.last:
                self._set_forward(clock)
            self.follow(item, message)
            count += 1
        return count

    def _of_now(self, source: Source) -> Sequence[Item]:
        """What has come, without what was captured before our clock was set back and is handed over now: it belongs to
        the view that has ended, and its time is still to come."""
        items = source.read()
        if self.steps_back and source.by_our_clock and source.taps == 1:   # agents may be a little ahead
            return [item for item in items if item.time <= self._by_now]
        return items

    def let_go(self, clock: float) -> None:
        """Follow what is held back: the clock that it counts by is another from now on, or nothing will come any more.
        """
        if self._hold is not None:
            self._follow_all(self._hold.everything(), clock)

    def latest(self) -> float:
        """The time of the packets that the sources gave last, since our clock was set."""
        return max((at for source, old in zip(self.sources, self._old, strict=True)
                    if (at := source.health.at) is not None and at != old
                    and not (source.by_our_clock and at > self._by_now)), default=self.newest)

    def _look_for_step_back(self, clock: float) -> None:
        """Where packets come, and those of all sources are older than what was read before, the clock was set back."""
        latest, before = self.latest(), self._latest_seen
        self._latest_seen = latest
        if latest != before and latest < self.newest - SLACK:
            self._set_back(self.newest, latest, clock)
            self._ahead = None   # what our clocks show of it is known

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
        """Called before a read with the times of both our clocks, in seconds: one that leaps from the monotonic one was
        set, or the machine slept. What comes after a leap forward is no later than it was; to take it for silence would
        let every deadline pass. A leap back may be hidden: packets come later than before it if none came for long."""
        ahead, before = wall - clock, self._ahead
        self._ahead, self._by_now = ahead, wall + SLACK
        if self._leap is not None and clock >= self._leap.until:
            self.let_go(clock)
            self._set_forward(clock)
        if before is not None and abs(ahead - before) > SLACK and any(source.by_our_clock for source in self.sources):
            self._leaps(ahead - before, clock)

    def _leaps(self, seconds: float, clock: float) -> None:
        """Together with a leap of which nothing was made yet: it may have been taken back."""
        known, self._leap = self._leap, None
        seconds += 0.0 if known is None else known.seconds
        now = self.now(clock)
        self._old = [source.health.at for source in self.sources]
        if seconds > SLACK:
            self._leap = Leap(seconds, now + SLACK, clock + ON_THE_WAY)
        elif seconds < -SLACK:
            self._set_back(now, now + seconds, clock)

    def _set_forward(self, clock: float) -> None:
        """Unless that was done with what was held back."""
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
        """The view begins with the first packet, if that is older than we are: files and replays have such."""
        first = min((health.first for health in self.health if health.first is not None), default=None)
        if self.begun or first is None:
            return
        self.begun = True
        if first < self.newest:
            self.newest = self.auditor.profiles.began = first
            self._at, self._silent = None, 0.0
            self.clock_was_set()

    def _look_for_blindness(self, read: Iterable[Sequence[Item]], clock: float) -> None:
        """Where a source could not see, phones may have done anything: the view begins anew, with what comes first."""
        blind = sum(source.blind for source in self.sources)
        if blind > self._blind:
            seconds, self._blind = blind - self._blind, blind
            if seconds >= WORTH_TELLING:
                self.happened(self.newest, f"a source saw nothing for {seconds:.0f} s")
            first = min((item.time for items in read for item in items), default=self.now(clock))
            self.auditor.view_begins(max(first, self.newest))

    def state(self) -> dict[str, Any]:
        """All that was learnt, what is held back, and how far time has gone on since the last packet."""
        return super().state() | {HELD: [] if self._hold is None else list(self._hold.held),
                                  SILENT: self.now(self._looked) - self.newest}

    def go_on(self, state: dict[str, Any], last: float, now: float, blind: float, *, begun: bool = True) -> None:
        """Go on from what another run had learnt until `last`; until `now` nobody listened. That one had been blind
        for so many seconds before. `begun`: whether it saw any packet; else the first may be older than it was."""
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
        """The time of the packets, which goes on by the clock where none come."""
        since = self._silent if self._at is None else clock - self._at
        return self.newest + since

    def pass_time(self, clock: float, *, drained: bool) -> None:
        """Say what time has settled; `drained` whether all that had come was read, so that silence is silence. Before
        the first packet there is nothing to settle, and that one may be older than we are."""
        self._mark_loss(self.now(clock))
        if not self.begun:
            return
        silent = drained and not any(source.away for source in self.sources)
        self.auditor.pass_time((self.now(clock) if silent else self.newest) - SLACK)

    def finish(self) -> None:
        """Nothing will come any more: what still waits stays undecided."""
        self.let_go(self._at or 0.0)
        self.reconstruction.finish()
        self.auditor.finish(self.newest)


def _nobody() -> None:
    """Nobody is told."""
