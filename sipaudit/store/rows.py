"""Turns sayings into rows: the table of each type of saying, its key there, and its columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from sipaudit.model.sayings import (
    CallSaid,
    CaptureSaid,
    EventSaid,
    FindingSaid,
    HealthSaid,
    IncidentSaid,
    LineSaid,
    MinuteSaid,
    MoveSaid,
    NoteSaid,
    ReachedSaid,
    RegistrationSaid,
    Saying,
    ServerSaid,
    TrySaid,
    UndecidedSaid,
)
from sipaudit.safe_json import to_json
from sipaudit.store.text import clean, digest

HOUR = 3600.0  # seconds; of counters that run from the probe's start, each hour's last value is kept

Name = tuple[object, ...]


@dataclass(frozen=True)
class Form:
    """How the sayings of one type become rows: `name` gives what identifies a row, `body` the whole value, and
    `columns` the columns to search by."""

    table: str
    name: Callable[[Any], Name]
    body: Callable[[Any], Any]
    columns: Callable[[Any], dict[str, str | float | None]]
    plain: bool = False     # the name is one of our own ids, used as the key without hashing


@dataclass(frozen=True)
class Row:
    """A row to write: `key` identifies it within its table and run, `values` has all columns except `number`, `run`
    and `written`."""

    table: str
    key: str
    values: dict[str, str | float | None]


def name_of(saying: Saying) -> Name | None:
    """What a saying is about: equal for sayings that share a row. None if no row is made of its type."""
    form = FORMS.get(type(saying))
    return None if form is None else (form.table, *form.name(saying))


def row_of(saying: Saying) -> Row:
    """The row of a saying, to be inserted or to replace the one with its key."""
    form = FORMS[type(saying)]
    name = form.name(saying)
    key = clean(str(name[0])) if form.plain else digest(*name)
    columns = {column: clean(value) if isinstance(value, str) else value
               for column, value in form.columns(saying).items()}
    body = to_json(form.body(saying)).decode()
    return Row(form.table, key, {"key": key, "said": saying.time, **columns, "body": body})


def hour_of(time: float) -> float:
    """The number of the hour that contains `time` (seconds since the epoch), counted from the epoch."""
    return time // HOUR


def _capture(said: CaptureSaid) -> dict[str, str | float | None]:
    return {"path": said.capture.path, "first": said.capture.first, "last": said.capture.last}


def _server(said: ServerSaid) -> dict[str, str | float | None]:
    return {"server": said.server.server, "name": said.server.name, "entry": said.server.entry}


def _line(said: LineSaid) -> dict[str, str | float | None]:
    line = said.line
    return {"line": line.line, "phone": line.phone, "label": line.label, "group_name": line.group,
            "working": line.working, "first": line.first, "last": line.last}


def _bare(said: LineSaid) -> Any:
    """The line without the parts that have tables of their own."""
    return replace(said.line, moves=[], tries=[], registrations=[], call_spans=[])


def _move(said: MoveSaid) -> dict[str, str | float | None]:
    move = said.move
    return {"line": said.line, "phone": said.phone, "kind": move.kind, "source": move.from_, "target": move.to,
            "cause": move.cause, "time": move.time}


def _try(said: TrySaid) -> dict[str, str | float | None]:
    tried = said.try_
    return {"line": said.line, "phone": said.phone, "server": tried.server, "method": tried.method,
            "result": tried.result, "time": tried.time}


def _registration(said: RegistrationSaid) -> dict[str, str | float | None]:
    row = said.registration
    return {"line": said.line, "phone": said.phone, "server": row.server, "ended": row.end, "since": row.from_,
            "until": row.until}


def _call(said: CallSaid) -> dict[str, str | float | None]:
    call = said.call
    return {"line": said.line, "phone": said.phone, "server": call.server, "since": _beginning(said),
            "until": call.until}


def _beginning(said: CallSaid) -> float | None:
    """The earliest known time of the call: its start, its answer or its end; None if none is known."""
    call = said.call
    return next((time for time in (call.from_, call.up, call.until) if time is not None), None)


def _finding(said: FindingSaid) -> dict[str, str | float | None]:
    finding = said.finding
    return {"line": finding.line, "phone": finding.phone, "server": finding.server, "rule": finding.rule,
            "severity": str(finding.severity), "incident": finding.incident, "suppressed": finding.suppressed,
            "time": finding.time, "withdrawn": None}


def _incident(said: IncidentSaid) -> dict[str, str | float | None]:
    incident = said.incident
    return {"kind": incident.kind, "server": incident.server, "entry": incident.entry, "state": incident.state,
            "since": incident.start, "until": incident.end, "withdrawn": None}


def _undecided(said: UndecidedSaid) -> dict[str, str | float | None]:
    one = said.inconclusive
    return {"kind": "inconclusive", "rule": one.rule, "reason": str(one.reason), "times": one.count}


def _reached(said: ReachedSaid) -> dict[str, str | float | None]:
    return {"kind": "reached", "rule": said.reached.rule, "reason": None, "times": said.reached.count}


def _health(said: HealthSaid) -> dict[str, str | float | None]:
    health = said.health
    return {"sip_per_s": health.sip_per_s, "kernel_drops": health.kernel_drops,
            "interface_drops": health.interface_drops, "lag_s": health.lag_s, "memory_bytes": health.memory_bytes}


FORMS: dict[type[Saying], Form] = {
    CaptureSaid: Form("captures", lambda said: (said.capture.path, said.capture.first, hour_of(said.time)),
                      lambda said: said.capture, _capture),
    ServerSaid: Form("servers", lambda said: (said.server.server,), lambda said: said.server, _server),
    LineSaid: Form("lines", lambda said: (said.line.line, said.line.phone), _bare, _line),
    MoveSaid: Form("moves", lambda said: (said.line, said.phone, said.move.time, said.move.to),
                   lambda said: said.move, _move),
    TrySaid: Form("tries", lambda said: (said.line, said.phone, said.try_.time, said.try_.server, said.try_.method),
                  lambda said: said.try_, _try),
    RegistrationSaid: Form("registrations", lambda said: (said.line, said.phone, said.registration.server,
                                                          said.registration.from_),
                           lambda said: said.registration, _registration),
    CallSaid: Form("calls", lambda said: (said.line, said.phone, _beginning(said)), lambda said: said.call, _call),
    FindingSaid: Form("findings", lambda said: (said.finding.id,), lambda said: said.finding, _finding, plain=True),
    IncidentSaid: Form("incidents", lambda said: (said.incident.id,), lambda said: said.incident, _incident,
                       plain=True),
    UndecidedSaid: Form("counts", lambda said: (said.inconclusive.rule, said.inconclusive.reason, hour_of(said.time)),
                        lambda said: said.inconclusive, _undecided),
    ReachedSaid: Form("counts", lambda said: (said.reached.rule, None, hour_of(said.time)),
                      lambda said: said.reached, _reached),
    MinuteSaid: Form("minutes", lambda said: (said.minute.server, said.minute.time), lambda said: said.minute,
                     lambda said: {"server": said.minute.server, "time": said.minute.time}),
    EventSaid: Form("events", lambda said: (said.event.time, said.event.what), lambda said: said.event,
                    lambda said: {"what": said.event.what, "time": said.event.time}),
    NoteSaid: Form("notes", lambda said: (said.note,), lambda said: said.note, lambda _: {}),
    HealthSaid: Form("health", lambda said: (said.time,), lambda said: said.health, _health),
}
"""All sayings except `Withdrawn`, which marks the row of another saying."""
