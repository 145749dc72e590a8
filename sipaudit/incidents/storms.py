"""register-storm: far more REGISTERs at a server than usual.

REGISTERs are counted by whole seconds, since nothing else of them is stored: the rate at a second is the number in it
and in the seconds before, `within` of them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import NamedTuple

from sipaudit.incidents.draft import Draft
from sipaudit.incidents.seconds import Seconds
from sipaudit.incidents.servers import ServerWatch

STANDS = 30.0   # seconds for which the usual rate of a server counts as unchanged


class Storm(Draft):
    """A storm, or a rush that may be one; rates are in REGISTERs a second."""

    def __init__(self, start: float, server: str, peak: float) -> None:
        super().__init__("register-storm", start, server)
        self.metrics["register_rate_peak"] = peak


class Found(NamedTuple):
    """The storms of one server, as found at `time`."""

    time: float
    storms: list[Storm]


class Storms:
    """Finds storms in a server's counts once all of them are known: only then is the usual rate known. Repeated calls
    get the earlier result for a while, if no storm is under way and none can have begun."""

    def __init__(self, thresholds: Mapping[str, float]) -> None:
        self._factor = thresholds["factor"]
        self._requests = thresholds["requests"]
        self._within = int(thresholds["within"])
        self._back = thresholds["back"]
        self._found: dict[str, Found] = {}

    def of_all(self, servers: Iterable[ServerWatch], seen: int, now: float) -> list[Storm]:
        """The storms at these servers until `now` (seconds since the epoch); `seen` is the number of seconds in which
        all was seen."""
        before, self._found = self._found, {}
        for server in servers:
            found = before.get(server.key)
            if found is None or not self._stands(found, server.seconds, now):
                found = Found(now, list(self.of(server, seen, now)))
            self._found[server.key] = found
        return [storm for found in self._found.values() for storm in found.storms]

    def _stands(self, found: Found, seconds: Seconds, now: float) -> bool:
        """Whether the earlier result still holds."""
        if not found.time <= now < found.time + STANDS or any(storm.end is None for storm in found.storms):
            return False
        since = range(int(found.time) - self._within, int(now) + 1)
        return now == found.time or sum(seconds.get(second) for second in since) < self._requests

    def of(self, server: ServerWatch, seen: int, ended: float) -> Iterator[Storm]:
        """The storms at a server until `ended` (seconds since the epoch); `seen` as in `of_all`."""
        if not self._may_have(server.seconds):
            return
        rates = self._rates(server.seconds)
        usual = max(_median(list(rates.values()), seen), 1)
        enough = max(self._requests, self._factor * usual)
        storm: Storm | None = None
        last = inf
        for second in sorted(rates):
            rate = rates[second]
            if storm is not None and (rate < self._back * usual or second > last + 1):
                storm.end = float(last + 1)
                yield storm
                storm = None
            if storm is None and rate >= enough:
                storm = Storm(float(self._first_of(server.seconds, second)), server.key, 0.0)
                storm.metrics["register_rate_median"] = round(usual / self._within, 3)
            if storm is not None:
                peak = max(storm.metrics["register_rate_peak"] or 0.0, rate / self._within)
                storm.metrics["register_rate_peak"] = round(peak, 3)
            last = second
        if storm is not None:
            storm.end = None if ended < last + 1 else float(last + 1)
            yield storm

    def _may_have(self, seconds: Seconds) -> bool:
        """Whether the counts ever reach those of a storm: a quick check that rules out nearly all servers."""
        if seconds.at_most() * self._within < self._requests:
            return False
        times, counts = seconds.in_order()
        within, requests = self._within, self._requests
        first = together = 0
        for second, count in zip(times, counts, strict=True):
            together += count
            while times[first] <= second - within:
                together -= counts[first]
                first += 1
            if together >= requests:
                return True
        return False

    def _rates(self, seconds: Seconds) -> dict[int, int]:
        """By second, the REGISTERs in it and the ones before; seconds with a rate of zero are left out."""
        rates: dict[int, int] = {}
        for second, count in seconds.items():
            for later in range(second, second + self._within):
                rates[later] = rates.get(later, 0) + count
        return rates

    def _first_of(self, seconds: Seconds, second: int) -> int:
        return min(one for one in range(second - self._within + 1, second + 1) if seconds.get(one))


def _median(rates: list[int], seconds: int) -> int:
    """The median rate over so many seconds (nearest rank), those without any REGISTER included."""
    rank = (max(seconds, len(rates)) + 1) // 2 - max(seconds - len(rates), 0)
    return 0 if rank <= 0 else sorted(rates)[rank - 1]
