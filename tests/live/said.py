"""Sayings as a probe would make them, with defaults; a test gives the fields that matter to it."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from sipaudit.model.captures import CaptureSummary, Loss, ServerSummary
from sipaudit.model.sayings import (
    CaptureSaid,
    FindingSaid,
    Health,
    HealthSaid,
    IncidentSaid,
    LineForgotten,
    LineSaid,
    MoveSaid,
    ReachedSaid,
    Saying,
    ServerSaid,
    UndecidedSaid,
    Withdrawn,
)
from sipaudit.model.values import Confidence, Finding, Incident, LineSummary, Move, Reached, Reason, Severity, Undecided

NOW = 1_700_000_000.0
PRIMARY, SECONDARY = "10.0.0.1:5060/udp", "10.0.0.2:5060/udp"
AOR = "sip:{}@pbx.example.com"

FINDING = Finding(
    "f-000001", "premature-failback", Severity.ERROR, Confidence.CERTAIN, AOR.format(1001), "10.1.0.5:5060", PRIMARY,
    NOW, "no REGISTER before 60 s", "REGISTER after 30 s", ["B4"], {}, [], [], None, None, None, None, [],
)
INCIDENT = Incident(
    "i-0001", "server-outage", PRIMARY, "sbc", "open", NOW, None, [AOR.format(1001)], 1, [], [], {}, [], [],
)
LINE = LineSummary(
    AOR.format(1001), "10.1.0.5:5060", None, None, None, None, None, None, None, "sbc", ["sbc"], "R2", "duration",
    PRIMARY, NOW, NOW, 0, {}, [], [], [], [], [],
)
HEALTH = Health(1200.0, 340.5, 7, 2, 0.25, 120_000_000, 240, 12, 30, {"lines": 3}, {"ethertype-0x88cc": 4}, 90.0)
CAPTURE = CaptureSummary(
    "eth1", 120_000, 34_000, NOW, NOW + 60, False, ["EN10MB"], {}, 0, 0, [], {"head": 2}, 0, 0, {},
    Loss(7, 0, 0, 0.0), {},
)


def finding(name: str = "f-000001", **changed: Any) -> FindingSaid:
    return FindingSaid(NOW, replace(FINDING, id=name, **changed))


def incident(name: str = "i-0001", **changed: Any) -> IncidentSaid:
    return IncidentSaid(NOW, replace(INCIDENT, id=name, **changed))


def line(user: object, working: str | None = PRIMARY, phone: str = "10.1.0.5:5060") -> LineSaid:
    return LineSaid(NOW, replace(LINE, line=AOR.format(user), phone=phone, working=working))


def forgotten(user: object, phone: str = "10.1.0.5:5060") -> LineForgotten:
    return LineForgotten(NOW, AOR.format(user), phone)


def server(address: str = PRIMARY, name: str | None = "sbc1.example.com", entry: str | None = "sbc") -> ServerSaid:
    return ServerSaid(NOW, ServerSummary(address, name, entry, 1, ["udp"]))


def move(kind: str = "failover", cause: str = "timeout") -> MoveSaid:
    return MoveSaid(NOW, AOR.format(1001), "10.1.0.5:5060", Move(NOW, NOW, kind, PRIMARY, SECONDARY, cause, []))


def health(**changed: Any) -> HealthSaid:
    return HealthSaid(NOW, replace(HEALTH, **changed))


def capture(path: str = "eth1", **changed: Any) -> CaptureSaid:
    return CaptureSaid(NOW, replace(CAPTURE, path=path, **changed))


def undecided(rule: str, reason: Reason, count: int) -> UndecidedSaid:
    return UndecidedSaid(NOW, Undecided(rule, reason, count))


def reached(rule: str, count: int) -> ReachedSaid:
    return ReachedSaid(NOW, Reached(rule, count))


def withdrawn(name: str) -> Withdrawn:
    return Withdrawn(NOW, name, "a packet that came late explains it")


def everything() -> list[Saying]:
    """One of each kind."""
    return [
        capture(), server(), line(1001), move(), finding(), finding("f-000002", suppressed="known"), incident(),
        withdrawn("f-000001"), undecided("premature-failback", Reason.TTL_UNKNOWN, 12), reached("flapping", 40),
        health(),
    ]
