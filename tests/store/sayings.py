"""Things a probe says, and the store asked what it knows of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sipaudit.model.sayings import (
    CaptureSaid,
    FindingSaid,
    Health,
    HealthSaid,
    IncidentSaid,
    LineSaid,
    MoveSaid,
    RegistrationSaid,
    UndecidedSaid,
)
from sipaudit.model.values import (
    CaptureSummary,
    Confidence,
    Finding,
    Frame,
    Incident,
    LineSummary,
    Loss,
    Move,
    Reason,
    Registration,
    Report,
    Severity,
    Undecided,
)
from sipaudit.run import storing

START = 1_700_000_000.0
AOR, PHONE = "sip:1001@pbx.example.com", "10.1.0.5:5060"
FIRST, SECOND = "10.0.0.1:5060/udp", "10.0.0.2:5060/udp"


def finding(number: int, *, after: float = 0.0, observed: str = "", line: str = AOR, **more: Any) -> FindingSaid:
    values: dict[str, Any] = {
        "id": f"f-{number:06d}", "rule": "premature-failback", "severity": Severity.ERROR,
        "confidence": Confidence.CERTAIN, "line": line, "phone": PHONE, "server": FIRST,
        "time": START + after, "expected": "", "observed": observed, "basis": ["B4"], "facts": {"times": 1},
        "assumptions": [], "also": [], "cause": None, "incident": None, "suppressed": None, "wireshark": None,
        "evidence": [Frame("eth1", number, START + after, "REGISTER")]}
    return FindingSaid(START + after, Finding(**values | more))


def incident(number: int, *, start: float = 0.0, end: float | None = None, findings: tuple[str, ...] = ()
             ) -> IncidentSaid:
    state = "open" if end is None else "closed"
    value = Incident(f"i-{number:04d}", "server-outage", FIRST, "sbc", state, START + start,
                     None if end is None else START + end, [AOR], 1, [], list(findings), {}, [], [])
    return IncidentSaid(START + (start if end is None else end), value)


def line(aor: str = AOR, *, first: float = 0.0, last: float = 0.0, working: str | None = FIRST) -> LineSaid:
    return LineSaid(START + last, LineSummary(
        aor, PHONE, None, None, None, None, None, None, None, None, [], None, None, working, START + first,
        START + last, 0, {}, [], [], [], [], []))


def move(after: float, source: str, target: str, aor: str = AOR) -> MoveSaid:
    return MoveSaid(START + after, aor, PHONE, Move(START + after, None, "failover", source, target, "timeout", []))


def registration(since: float, until: float | None, *, refreshes: int = 0, aor: str = AOR) -> RegistrationSaid:
    return RegistrationSaid(START + since, aor, PHONE, Registration(
        FIRST, START + since, None if until is None else START + until, 3600, refreshes, None))


def capture(after: float, packets: int, drops: int = 0, first: float = 0.0) -> CaptureSaid:
    return CaptureSaid(START + after, CaptureSummary(
        "eth1", packets, packets // 2, START + first if packets else None, START + after, False, ["EN10MB"],
        {"arp": packets // 10}, 0, 0, [], {}, 0, 0, {}, Loss(drops, 0, 0, 0.0), {}))


def undecided(after: float, count: int) -> UndecidedSaid:
    return UndecidedSaid(START + after, Undecided("overdue-failback", Reason.TTL_UNKNOWN, count))


def health(after: float, **more: Any) -> HealthSaid:
    values: dict[str, Any] = {
        "packets_per_s": 1.0, "sip_per_s": 1.0, "kernel_drops": None, "interface_drops": None, "lag_s": 0.1,
        "memory_bytes": 1, "lines": 1, "dialogs": 0, "transactions": 0, "evicted": {}, "undecoded": {}}
    return HealthSaid(START + after, Health(**values | more))


def known(url: str, start: float | None = None, end: float | None = None) -> Report:
    """The report of a period, in seconds after START."""
    ends = [None if after is None else f"@{START + after}" for after in (start, end)]
    return storing.read(url, storing.period(*ends, "utc"))


def eventually(is_so: Callable[[], bool], within: float = 15.0) -> None:
    """Waits until it is."""
    patience = time.monotonic() + within
    while not is_so():
        assert time.monotonic() < patience, "that never came"
        time.sleep(0.02)
