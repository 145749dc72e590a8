"""Moments and time zones as users write them (contract.md 1: TIME, `--tz`, `--event`), and times as we show them.

A TIME may be relative to the first packet, which is known only once the
captures are open: it is parsed at once, so that errors come before any work,
and resolved later.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum

from msgspec import Struct

from sipaudit.errors import InputError
from sipaudit.yamlfile.wording import nearest, quoted

A_DAY = 86_400.0  # seconds
EARLIER = 3600.0  # seconds that a bare clock time may lie before the first packet

_EXAMPLES = "2026-11-22T12:03:04, 12:03, 12:03:04.5, +90s, +5m, +1h or @1700000300.5"
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(\.[0-9]{1,9})?)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]{2,18}(?:Z|[+-][0-9]{2}:?[0-9]{2})?")
_COUNT = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)"
_AFTER = re.compile(rf"\+(?=[0-9])(?:{_COUNT}h)?(?:{_COUNT}m)?(?:{_COUNT}s)?")   # 1h, 5m30s
_EPOCH = re.compile(r"@([0-9]{1,11}(?:\.[0-9]{1,9})?)")
_SECONDS = (3600.0, 60.0, 1.0)
_ZONES = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/share/zoneinfo", "/etc/zoneinfo")   # where C libraries search
_IS_UTC = re.compile(r"(?:Etc/)?(?:UTC|GMT|UCT|Zulu|Universal|Greenwich)", re.IGNORECASE)   # known without any file
_RULE = re.compile(r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)[+-]?[0-9]{1,3}")   # CET-1CEST,M3.5.0,M10.5.0/3 (POSIX)


class Moment(Struct, frozen=True, gc=False):
    """An absolute moment, which needs no capture: seconds since the epoch."""

    seconds: float

    def resolve(self, first_packet: float) -> float:  # noqa: ARG002 - the same for every capture
        """The moment in seconds since the epoch, as in all these classes; `first_packet` is the time of the captures'
        first packet."""
        return self.seconds


class AfterStart(Struct, frozen=True, gc=False):
    """A moment given in seconds after the first packet."""

    seconds: float

    def resolve(self, first_packet: float) -> float:
        return first_packet + self.seconds


class ClockTime(Struct, frozen=True):
    """A time of day without a date: the first such moment that is not more than an hour before the first packet.

    So `12:00` for a capture that begins at 12:03 is three minutes before it, and `02:00` for one that begins
    in the evening is in the following night.
    """

    clock: time
    zone: tzinfo

    def resolve(self, first_packet: float) -> float:
        earliest = first_packet - EARLIER
        try:
            day = datetime.fromtimestamp(earliest, self.zone).date()
            days = [datetime.combine(day + timedelta(offset), self.clock, self.zone) for offset in range(3)]
            moments = [moment for local in days for moment in self._on(local)]
        except (ValueError, OverflowError, OSError):  # a broken capture: no calendar holds its first packet
            moments = []
        return next((moment for moment in moments if moment >= earliest), first_packet)

    @staticmethod
    def _on(local: datetime) -> tuple[float, ...]:
        """The moments when the clock shows this: two in the night when clocks are set back, otherwise one."""
        first, second = local.timestamp(), local.replace(fold=1).timestamp()
        return (first, second) if second > first else (first,)


When = Moment | AfterStart | ClockTime


class Span:
    """The reported period: from `start` to `end`, both inclusive and in seconds since the epoch; None: unbounded."""

    __slots__ = ("end", "start")

    def __init__(self, start: float | None, end: float | None) -> None:
        self.start = float("-inf") if start is None else start
        self.end = float("inf") if end is None else end

    def holds(self, time: float) -> bool:
        return self.start <= time <= self.end

    def touches(self, start: float, end: float) -> bool:
        """Whether any moment from `start` to `end` is in the reported period."""
        return start <= self.end and end >= self.start


def span_of(start: When | None, end: When | None, first_packet: float) -> Span:
    """The period between two TIMEs; None leaves that side open."""
    return Span(None if start is None else start.resolve(first_packet),
                None if end is None else end.resolve(first_packet))


def check_order(span: Span, zone: tzinfo, end_option: str = "--to") -> None:
    """Raises InputError for a period that ends before it begins."""
    if span.end < span.start:
        start, end = format_time(span.start, zone), format_time(span.end, zone)
        raise InputError(f"--from {start} is after {end_option} {end}", fix="give the earlier time to --from")


def parse_time(text: str, zone: tzinfo, *, option: str, file: str | None = None, line: int | None = None) -> When:
    """Parse a TIME; without a zone of its own it is in `zone`. Raises InputError, which names `option` and, if given,
    the file and line."""
    stripped = text.strip()
    try:
        when = _parse(stripped, zone)
    except (ValueError, OverflowError, OSError):  # no such day, or outside the calendar
        when = None
    if when is None:
        raise InputError(f"{option}: {quoted(text)} is no time", fix=f"write {_EXAMPLES}", file=file, line=line)
    return when


def _parse(text: str, zone: tzinfo) -> When | None:
    if epoch := _EPOCH.fullmatch(text):
        return Moment(float(epoch[1]))
    if after := _AFTER.fullmatch(text):
        return AfterStart(sum(float(count or 0) * unit for count, unit in zip(after.groups(), _SECONDS, strict=True)))
    if clock := _CLOCK.fullmatch(text):
        fraction = round(float(clock[4] or 0) * 1_000_000)
        return ClockTime(time(int(clock[1]), int(clock[2]), int(clock[3] or 0), min(fraction, 999_999)), zone)
    if _DATE.fullmatch(text) or _DATE_TIME.fullmatch(text):
        moment = datetime.fromisoformat(text)
        return Moment((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp())
    return None


def parse_event(
    text: str, zone: tzinfo, *, option: str = "--event", file: str | None = None, line: int | None = None
) -> tuple[When, str]:
    """Parse a known event, `TIME WHAT`: its time, and what happened, in the user's words. Raises InputError."""
    words = text.split()
    spaced = len(words) > 1 and _DATE.fullmatch(words[0]) and words[1][:2].isdigit() and ":" in words[1]
    count = 2 if spaced else 1  # "2026-11-22 12:03:04" is one time
    what = " ".join(words[count:])
    if not what:
        fix = "write a time and what happened: '12:03:04 sbc1 stopped'"
        raise InputError(f"{option}: {quoted(text)} does not say what happened", fix=fix, file=file, line=line)
    return parse_time(" ".join(words[:count]), zone, option=option, file=file, line=line), what


class LocalZone(tzinfo):
    """The zone of this computer, including clock changes, however `TZ` or the system names it."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, moment: datetime | None) -> timedelta | None:  # noqa: ARG002 - the system does not say
        return None

    def tzname(self, moment: datetime | None) -> str | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, moment: datetime) -> datetime:
        local = moment.replace(tzinfo=UTC).astimezone()
        naive = local.replace(tzinfo=None)
        second = naive.astimezone().utcoffset() != local.utcoffset()  # the hour that clocks show twice
        return naive.replace(tzinfo=self, fold=int(second))


def parse_zone(text: str, option: str = "--tz") -> tzinfo:
    """Parse the zone that `option` gave: an IANA name, `utc` or `local`. Raises InputError, which suggests the nearest
    name."""
    if text.lower() == "utc":
        return UTC
    if text.lower() == "local":
        return LocalZone()
    import zoneinfo  # deferred: most runs name no zone

    try:
        return zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass
    raise InputError(f"{option}: there is no time zone {quoted(text)}", fix=_meant(text))


def _meant(text: str, else_write: str = "write an IANA name as Europe/Berlin, or utc, or local") -> str:
    """The suggested fix for a zone that does not exist."""
    import zoneinfo

    names = zoneinfo.available_timezones()
    best = nearest(text, names)
    if not names:
        return "install the system's time zone data (tzdata), or write utc or local"
    return f"did you mean '{best}'?" if best else else_write


def zone_doubt(zone: tzinfo) -> str | None:
    """The warning about the zone of this computer if `TZ` names one that the system does not know: the system silently
    uses UTC then. None if there is no doubt."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if not isinstance(zone, LocalZone) or not name or _IS_UTC.fullmatch(name) or _RULE.match(name):
        return None
    folders = (os.environ.get("TZDIR") or _ZONES[0], *_ZONES[1:])
    if any(os.path.isfile(os.path.join(folder, name)) for folder in folders):  # noqa: PTH113, PTH118 - raise nothing
        return None
    fix = _meant(name, "name a zone with --tz")
    return f"the environment's TZ is {quoted(name)}, a zone that is not known here: local is UTC ({fix})"


def zone_name(seconds: float, zone: tzinfo) -> str:
    """The zone in which a time is shown, with its offset at that time: `UTC`, `CET (UTC+01:00)`."""
    try:
        moment = datetime.fromtimestamp(seconds, zone)
    except (ValueError, OverflowError, OSError):
        return "UTC"
    from_utc, name = f"{moment:%z}", moment.tzname() or ""
    offset = f"UTC{from_utc[:3]}:{from_utc[3:5]}" if moment.utcoffset() else "UTC"
    return f"{name} ({offset})" if name.isalpha() and name != offset else offset


class TimeStyle(StrEnum):
    """How much of a moment is written: date and clock, or the clock alone."""

    FULL = "full"
    CLOCK = "clock"


_FORMATS = {TimeStyle.FULL: "%Y-%m-%d %H:%M:%S", TimeStyle.CLOCK: "%H:%M:%S"}


def format_time(seconds: float, zone: tzinfo, style: TimeStyle = TimeStyle.FULL) -> str:
    """`2026-11-22 12:03:04.123`, or the clock alone; `@seconds` for a time outside the calendar (a broken capture)."""
    try:
        moment = datetime.fromtimestamp(seconds, zone)
    except (ValueError, OverflowError, OSError):
        return f"@{seconds:.3f}"
    return f"{moment:{_FORMATS[style]}}.{moment.microsecond // 1000:03d}"
