"""Times in the page: milliseconds after the report's first moment, and the time zone as its offsets in that time.

A browser knows neither the zone of the machine that made the report nor always the one that `--tz` names, so the page
contains the offsets that it needs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from sipaudit.model.values import Report

HOUR = 3600.0
FARTHEST = 2**53  # ms: the largest integer of JavaScript; a broken clock may show more
LONGEST = 366 * 24 * HOUR  # seconds: beyond that a clock is broken, and the last offset will do


def milliseconds(seconds: float) -> int:
    """A time in whole milliseconds, limited to the integers of JavaScript. Parts of a millisecond are cut, as in every
    other output; but what is less than half a microsecond short of one lacks that only by its binary fraction."""
    return math.floor(min(max(seconds * 1000 + 0.0005, -FARTHEST), FARTHEST))


class PageClock:
    """Counts the milliseconds of a report from its first moment; `start` and `end` are seconds since the epoch."""

    def __init__(self, report: Report) -> None:
        moments = [min(max(time, -FARTHEST / 1000), FARTHEST / 1000) for time in _moments(report)] or [0.0]
        self.start, self.end = min(moments), max(moments)
        self._begins = milliseconds(self.start)

    def ms(self, time: float | None) -> int | None:
        """Milliseconds from the first moment to `time`, both cut as they are shown."""
        if time is None:
            return None
        return min(max(milliseconds(time) - self._begins, -FARTHEST), FARTHEST)

    def offsets(self, zone: tzinfo) -> list[tuple[int, int]]:
        """The zone's offsets as `(from when on in ms, offset from UTC in seconds)`, in order."""
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
    """When within the hour before `after` the zone changed to this offset, to the second."""
    low, high = after - HOUR, after
    while high - low > 1:
        middle = (low + high) / 2
        low, high = (low, middle) if _offset(middle, zone) == offset else (middle, high)
    return round(high)
