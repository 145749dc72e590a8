"""Requests and answers of each server, counted by minute.

Minutes that are over are packed to a quarter of the size of their counters: otherwise they would grow with the length
of a capture.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from math import inf

from msgspec.msgpack import Decoder, Encoder

from sipaudit.model.captures import ServerMinute
from sipaudit.turned_away import turned_away

MINUTE = 60.0
MINUTES_KEPT = 50_000   # of all servers together
SLOWEST = 40_000        # milliseconds: longer delays count as this
METHODS_KEPT = 16       # methods counted apart for one server and minute; the rest are `other`

Counts = tuple[dict[str, int], dict[int, int], dict[int, int], float, int, int]
_pack = Encoder().encode
_unpack = Decoder(Counts).decode


class Minute:
    """The counters of one server in the minute that begins at `time`. `answers` by status class; `delays`: how many
    answers took so many milliseconds; `longest` in seconds."""

    __slots__ = ("answers", "delays", "end", "longest", "requests", "responses_503", "time", "unanswered")

    def __init__(self, time: float) -> None:
        self.time = time
        self.end = time + MINUTE
        self.requests: defaultdict[str, int] = defaultdict(int)
        self.answers: defaultdict[int, int] = defaultdict(int)
        self.delays: defaultdict[int, int] = defaultdict(int)
        self.longest = 0.0
        self.responses_503 = 0
        self.unanswered = 0

    def packed(self) -> bytes:
        """The counters, without the time."""
        return _pack((self.requests, self.answers, self.delays, self.longest, self.responses_503, self.unanswered))

    @classmethod
    def unpacked(cls, time: float, packed: bytes) -> Minute:
        """The minute that began at `time`, unpacked."""
        minute = cls(time)
        requests, answers, delays, minute.longest, minute.responses_503, minute.unanswered = _unpack(packed)
        minute.requests.update(requests)
        minute.answers.update(answers)
        minute.delays.update(delays)
        return minute

    def asked(self, method: str, count: int = 1) -> None:
        """Count so many more requests. Methods come from the wire, so after METHODS_KEPT the rest share a name."""
        if method not in self.requests and len(self.requests) >= METHODS_KEPT:
            method = "other"
        self.requests[method] += count

    def answered(self, status: int) -> None:
        """Count a response by its status class."""
        self.answers[status // 100] += 1
        if status == 503:
            self.responses_503 += 1

    def took(self, seconds: float) -> None:
        """Count the delay of an answer: to the millisecond below a second, coarser above, so that few counters
        suffice."""
        step = int(seconds * 1000 + 0.5)
        self.delays[step if 0 <= step < 1000 else _coarse(step)] += 1
        if seconds > self.longest:
            self.longest = seconds

    def median(self) -> float | None:
        """The median delay in seconds (nearest rank), None when nothing was answered."""
        rank = (sum(self.delays.values()) + 1) // 2
        for step in sorted(self.delays):
            rank -= self.delays[step]
            if rank <= 0:
                return step / 1000
        return None


def _coarse(step: int) -> int:
    """The coarser step, in milliseconds, for delays that are not counted to the millisecond."""
    return min(step // 100 * 100, SLOWEST) if step > 0 else 0


OfServer = dict[float, Minute | bytes]
"""The minutes of a server by start time. Past minutes are packed, except one that a late event has unpacked."""


class Minutes:
    """The minutes of all servers, within bounds; `dropped`: whether there were more."""

    __slots__ = ("_beyond", "_count", "dropped")

    def __init__(self) -> None:
        self._count = 0
        self.dropped = False
        self._beyond = Minute(-inf)

    def __len__(self) -> int:
        return self._count

    @property
    def full(self) -> bool:
        return self._count >= MINUTES_KEPT

    def forget(self, of_server: OfServer, before: float) -> None:
        """Forget a server's minutes that ended before that time."""
        for start in [start for start in of_server if start + MINUTE < before]:
            del of_server[start]
            self._count -= 1

    def lay_by(self, of_server: OfServer, minute: Minute) -> None:
        """Pack a server's minute that has been over for a while."""
        if of_server.get(minute.time) is minute:
            of_server[minute.time] = minute.packed()

    def at(self, of_server: OfServer, time: float) -> Minute:
        """The minute of a server that contains `time`."""
        start = time // MINUTE * MINUTE
        minute = of_server.get(start)
        if isinstance(minute, bytes):
            minute = of_server[start] = Minute.unpacked(start, minute)
        if minute is None:
            if self._count >= MINUTES_KEPT:
                self.dropped = True
                turned_away("watched-minutes")
                return self._beyond
            self._count += 1
            minute = of_server[start] = Minute(start)
        return minute


def wanted_minutes(of_server: OfServer, wanted: Callable[[float, float], bool]) -> Iterator[Minute]:
    """The minutes of a server whose beginning and end `wanted` accepts, read-only."""
    for start, minute in of_server.items():
        if wanted(start, start + MINUTE):
            yield Minute.unpacked(start, minute) if isinstance(minute, bytes) else minute


def as_reported(minutes: Iterable[tuple[str, Minute]], name: Callable[[str], str]) -> list[ServerMinute]:
    """The minutes as reported, by time and server; `name` gives the display name of a server."""
    made = [ServerMinute(
        time=minute.time, server=name(server), requests=dict(sorted(minute.requests.items())),
        answers={f"{kind}xx": minute.answers[kind] for kind in sorted(minute.answers)},
        responses_503=minute.responses_503, unanswered=minute.unanswered, delay_p50=minute.median(),
        delay_max=round(minute.longest, 3) if minute.delays else None,
    ) for server, minute in minutes]
    return sorted(made, key=lambda row: (row.time, row.server))
