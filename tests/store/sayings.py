"""Sayings of a probe, and the report that a store gives of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from typing import Any

from msgspec.structs import replace

from sipaudit.model.captures import Loss
from sipaudit.model.sayings import (
    CaptureSaid,
    FindingSaid,
    HealthSaid,
    IncidentSaid,
    LineSaid,
    MoveSaid,
    RegistrationSaid,
    UndecidedSaid,
)
from sipaudit.model.values import Frame, Move, Reason, Registration, Report, Undecided
from sipaudit.run import storing
from tests.live import said

START = said.NOW
AOR, PHONE = said.LINE.line, said.LINE.phone
FIRST, SECOND = said.PRIMARY, said.SECONDARY


def finding(number: int, *, after: float = 0.0, **more: Any) -> FindingSaid:
    values = {"id": f"f-{number:06d}", "time": START + after, "observed": "", "facts": {"times": 1},
              "evidence": [Frame("eth1", number, START + after, "REGISTER")]}
    return FindingSaid(START + after, replace(said.FINDING, **values | more))


def incident(number: int, *, start: float = 0.0, end: float | None = None, findings: tuple[str, ...] = ()
             ) -> IncidentSaid:
    value = replace(said.INCIDENT, id=f"i-{number:04d}", state="open" if end is None else "closed",
                    start=START + start, end=None if end is None else START + end, findings=list(findings))
    return IncidentSaid(START + (start if end is None else end), value)


def line(aor: str = AOR, *, first: float = 0.0, last: float = 0.0, working: str | None = FIRST) -> LineSaid:
    return LineSaid(START + last, replace(said.LINE, line=aor, working=working, first=START + first, last=START + last))


def move(after: float, source: str, target: str, aor: str = AOR) -> MoveSaid:
    return MoveSaid(START + after, aor, PHONE, Move(START + after, None, "failover", source, target, "timeout", []))


def registration(since: float, until: float | None, *, refreshes: int = 0, aor: str = AOR) -> RegistrationSaid:
    return RegistrationSaid(START + since, aor, PHONE, Registration(
        FIRST, START + since, None if until is None else START + until, 3600, refreshes, None))


def capture(after: float, packets: int, drops: int = 0, first: float = 0.0) -> CaptureSaid:
    return CaptureSaid(START + after, replace(
        said.CAPTURE, packets=packets, sip_messages=packets // 2, first=START + first if packets else None,
        last=START + after, undecoded={"arp": packets // 10}, loss=Loss(drops, 0, 0, 0.0)))


def undecided(after: float, count: int) -> UndecidedSaid:
    return UndecidedSaid(START + after, Undecided("overdue-failback", Reason.TTL_UNKNOWN, count))


def health(after: float, **more: Any) -> HealthSaid:
    return HealthSaid(START + after, replace(said.HEALTH, **more))


def known(url: str, start: float | None = None, end: float | None = None) -> Report:
    """The report of a period, whose ends are in seconds after START."""
    first, last = (None if after is None else f"@{START + after}" for after in (start, end))
    return storing.read(url, storing.period(first, last, UTC))


def eventually(is_so: Callable[[], bool], within: float = 15.0) -> None:
    """Wait until it is true; fail after `within` seconds."""
    patience = time.monotonic() + within
    while not is_so():
        assert time.monotonic() < patience, "that never came"
        time.sleep(0.02)
