"""How the times of a report are told: with the day where its captures have several."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from functools import partial

from sipaudit.incidents.minutes import MINUTE
from sipaudit.model.values import Report
from sipaudit.times import TimeStyle, format_time

TimeText = Callable[[float], str]   # a time (seconds since the epoch) as it is told


def style_of(report: Report, clock: tzinfo) -> TimeStyle:
    """How times within the captures are told: by the time of day, and with the day where there are several."""
    days = {format_time(end, clock)[:10] for end in ends_of(report)}
    return TimeStyle.CLOCK if len(days) < 2 else TimeStyle.FULL


def when_of(report: Report, clock: tzinfo) -> TimeText:
    """The same for tables."""
    return partial(format_time, zone=clock, style=style_of(report, clock))


def ends_of(report: Report) -> list[float]:
    """When its captures began and ended (seconds since the epoch)."""
    return [end for capture in report.captures for end in capture.ends]


def last_asked(report: Report) -> dict[str, float]:
    """By server, the end of the last minute in which it was asked anything, where a minute or more follows until the
    captures end."""
    end = max(ends_of(report), default=0.0)
    asked = {minute.server: minute.time + MINUTE for minute in report.minutes}   # in order of time
    return {server: last for server, last in asked.items() if end - last >= MINUTE}


def lasting(seconds: float) -> str:
    """How long something took: `3.6 s`, `6 min 04 s`, `2 h 05 min`."""
    if round(seconds, 1) < 60:
        return f"{round(seconds, 1) or round(seconds, 3):g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
