"""Times in the page: milliseconds after the report's first moment, and the zone as the offsets it had meanwhile.

A browser knows neither the zone of the machine that made the report nor always the one that `--tz` names, so the
page carries what it needs of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from sipaudit.model.values import Report

HOUR = 3600.0
FARTHEST = 2**53  # ms: what a browser can count; a broken clock may show more
LONGEST = 366 * 24 * HOUR  # beyond that a clock is broken, and its last offset will do


def milliseconds(seconds: float) -> int:
    """A time as a browser can count it, however far off a report says that it is. Parts of a millisecond are left
    out, as in every other output, but what lacks less than half a microsecond lacks it by its binary fraction only."""
    return math.floor(min(max(seconds * 1000 + 0.0005, -FARTHEST), FARTHEST))


class PageClock:
    """Counts the milliseconds of a report from its first moment; `start` and `end` are seconds since the epoch."""

    def __init__(self, report: Report) -> None:
        moments = [min(max(time, -FARTHEST / 1000), FARTHEST / 1000) for time in _moments(report)] or [0.0]
        self.start, self.end = min(moments), max(moments)
        self._begins = milliseconds(self.start)

    def ms(self, time: float | None) -> int | None:
        """From the first moment as it is shown to the time as it is shown."""
        if time is None:
            return None
        return min(max(milliseconds(time) - self._begins, -FARTHEST), FARTHEST)

    def offsets(self, zone: tzinfo) -> list[tuple[int, int]]:
        """`(from when on in ms, offset from UTC in seconds)`, in order."""
        found: list[tuple[int, int]] = []
        time, end = self.start, min(self.end, self.start + LONGEST)
        while True:
            offset = _offset(time, zone)
            if not found or found[-1][1] != offset:
                found.append((self.ms(_change(time, zone, offset)) or 0 if found else 0, offset))
            if time >= end:
                return found
            time = min(time + HOUR, end)


def _moments(report: Report) -> Iterator[float]:
    for capture in report.captures:
        yield from capture.ends
    if not report.captures:
        yield from (time for line in report.lines for time in (line.first, line.last))


def _offset(time: float, zone: tzinfo) -> int:
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=time)
        return round((moment.astimezone(zone).utcoffset() or timedelta()).total_seconds())
    except (OverflowError, ValueError):
        return 0


def _change(after: float, zone: tzinfo, offset: int) -> float:
    """When within the hour before `after` the zone took this offset, to the second."""
    low, high = after - HOUR, after
    while high - low > 1:
        middle = (low + high) / 2
        low, high = (low, middle) if _offset(middle, zone) == offset else (middle, high)
    return round(high)
