"""Formats the times of a report: with the date if its captures span several days."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from functools import partial

from sipaudit.incidents.minutes import MINUTE
from sipaudit.model.values import Report
from sipaudit.times import TimeStyle, format_time

TimeText = Callable[[float], str]   # formats a time (seconds since the epoch)


def style_of(report: Report, clock: tzinfo) -> TimeStyle:
    """The style of times within the captures: the time of day, with the date if they span several days."""
    days = {format_time(end, clock)[:10] for end in ends_of(report)}
    return TimeStyle.CLOCK if len(days) < 2 else TimeStyle.FULL


def when_of(report: Report, clock: tzinfo) -> TimeText:
    """The function that formats times in that style, for tables."""
    return partial(format_time, zone=clock, style=style_of(report, clock))


def ends_of(report: Report) -> list[float]:
    """When the captures of a report began and ended (seconds since the epoch)."""
    return [end for capture in report.captures for end in capture.ends]


def last_asked(report: Report) -> dict[str, float]:
    """By server, the end of the last minute in which it got a request (seconds since the epoch), if the captures go on
    for at least a minute after that."""
    end = max(ends_of(report), default=0.0)
    asked = {minute.server: minute.time + MINUTE for minute in report.minutes}   # in order of time
    return {server: last for server, last in asked.items() if end - last >= MINUTE}


def lasting(seconds: float) -> str:
    """How long something took: `3.6 s`, `6 min 04 s`, `2 h 05 min`."""
    if round(seconds, 1) < 60:
        return f"{round(seconds, 1) or round(seconds, 3):g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
