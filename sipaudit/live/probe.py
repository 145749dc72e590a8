"""The route on live traffic: what the sources give, followed as it comes, and time that passes without it."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import merge
from operator import attrgetter

from sipaudit.live.ends import Source
from sipaudit.live.loss import RecentLoss
from sipaudit.run.job import Brief
from sipaudit.run.route import Route, parsed_ahead
from sipaudit.run.summary import Span
from sipaudit.sip.datagram import Item

SLACK = 2.0   # seconds by which packets of different sources may come out of order


class Probe(Route):
    """`sources` are in the order of their `capture`; `began` is when it first listened (seconds since the epoch)."""

    def __init__(self, brief: Brief, sources: Sequence[Source], began: float) -> None:
        self.sources = sources
        self.recent = RecentLoss()
        super().__init__(brief, Span(None, None), began, [source.health for source in sources], place=self._place)
        self._newest = began
        self._newest_at: float | None = None
        self._blind = 0.0

    def _place(self, capture: int, frame: int) -> tuple[str, int | None]:
        return self.sources[capture].place(frame)

    def loss(self) -> float:
        """The share of packets that the sources lacked of late."""
        return self.recent.share

    def read(self, clock: float) -> int:
        """Follow what has come; `clock` is a monotonic one's time, in seconds. How many items that were."""
        read = [source.read() for source in self.sources]
        self._look_for_blindness()
        count = 0
        for item, message in parsed_ahead(_in_order(read)):
            self.follow(item, message)
            count += 1
        newest = max((health.last for health in self.health if health.last is not None), default=self._newest)
        if newest > self._newest or self._newest_at is None:
            self._newest, self._newest_at = max(newest, self._newest), clock
        return count

    def _look_for_blindness(self) -> None:
        """Where a source could not see, phones may have done anything: the view begins anew."""
        blind = self.blind
        if blind > self._blind:
            self._blind = blind
            self.view_begins(self._newest)

    def view_begins(self, time: float) -> None:
        """All is seen since `time` only."""
        self.auditor.began = max(self.auditor.began, time)

    @property
    def blind(self) -> float:
        """Seconds since the beginning in which a source could not see."""
        return sum(source.blind for source in self.sources)

    def now(self, clock: float) -> float:
        """The time of the packets, which goes on by the clock where none come."""
        since = 0.0 if self._newest_at is None else clock - self._newest_at
        return self._newest + since

    def pass_time(self, clock: float, *, drained: bool) -> None:
        """Say what time has settled; `drained` whether all that had come was read, so that silence is silence."""
        self.recent.mark(clock, self.health, self.reconstruction.traffic)
        self.auditor.pass_time((self.now(clock) if drained else self._newest) - SLACK)

    def finish(self) -> None:
        """Nothing will come any more: what still waits stays undecided."""
        self.reconstruction.finish()
        self.auditor.finish(self._newest)


def _in_order(read: list[Sequence[Item]]) -> Sequence[Item]:
    given = [items for items in read if items]
    if len(given) == 1:
        return given[0]
    return list(merge(*given, key=attrgetter("time")))
