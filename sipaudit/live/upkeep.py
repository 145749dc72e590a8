"""What lets a probe run for weeks: it forgets what has ended, and keeps its memory within its limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from sipaudit.live.ends import Reader
from sipaudit.live.limits import Limits
from sipaudit.run.budget import Budget
from sipaudit.run.route import Route
from sipaudit.turned_away import since, so_far

REMEMBERED_FOR = 1800.0   # seconds for which things that ended are kept: three times as long as rules look back
UNHEARD = 7 * 86_400.0  # seconds of silence after which a line is forgotten
FORGET_EVERY = 60.0    # seconds
CHECK_EVERY = 1.0


class Upkeep:
    """Called at every turn of the loop. `readers` are those of the sources. After the route has forgotten what ended
    before some time, each function in `also` is called with that time. `log` takes reports on memory."""

    def __init__(self, route: Route, limits: Limits, readers: Sequence[Reader],
                 log: Callable[[str], None] = lambda _: None, also: Sequence[Callable[[float], None]] = ()) -> None:
        self._route = route
        self._limits = limits
        self._readers = readers
        self._log = log
        self._also = also
        self._turned_away = so_far()
        self._check_at = float("-inf")
        self._forget_at = float("-inf")

    def turn(self, now: float, clock: float) -> None:
        """`now` is the packet time in seconds since the epoch, `clock` the monotonic time."""
        if clock >= self._forget_at:
            self._forget_at = clock + FORGET_EVERY
            self._route.forget(now - REMEMBERED_FOR, now - UNHEARD)
            for forget in self._also:
                forget(now - REMEMBERED_FOR)
        if clock >= self._check_at:
            self._check_at = clock + CHECK_EVERY
            said = self._limits.check(clock, self._tighten)
            if said is not None:
                self._log(said)

    def _tighten(self, budget: Budget) -> None:
        self._route.tighten(budget)
        for reader in self._readers:
            reader.tighten(budget.capture)

    @property
    def evicted(self) -> dict[str, int]:
        """How much the bounds evicted or turned away, by kind."""
        counts = Counter(self._route.evicted)
        for reader in self._readers:
            counts.update(reader.evicted)
        counts.update(since(self._turned_away))
        return dict(counts)
