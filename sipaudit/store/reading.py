"""Makes a report of a period from a store: combines the rows of all runs that touch it into the report of one run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace
from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from sipaudit import __version__
from sipaudit.errors import InputError
from sipaudit.model.captures import ServerMinute, ServerSummary
from sipaudit.model.values import (
    SCHEMA,
    CallSpan,
    Finding,
    Incident,
    KnownEvent,
    Move,
    Registration,
    Report,
    Try,
    read_proof,
)
from sipaudit.store.counting import captures, counts
from sipaudit.store.lines import Parts, Who, lines
from sipaudit.store.opening import Store, damaged, is_damaged
from sipaudit.store.runs import Run
from sipaudit.store.schema import RUNS, TABLES
from sipaudit.store.text import clean
from sipaudit.times import Span

T = TypeVar("T")
MINUTE = 60.0
SHOWN = 8  # names of probes in an error


def read(store: Store, period: Callable[[float], Span]) -> Report:
    """The report of a period; `period` makes it from the time at which the store begins (seconds since the epoch).
    Raises OSError when the store fails, InputError if it is damaged or has rows only of other probes than the URL's."""
    try:
        with store.engine.connect() as connection:
            runs = _runs(connection, store)
            chosen = period(min((run.began for run in runs), default=0.0))
            found = Assembly(connection, [run for run in runs if chosen.touches(run.began, run.said)], chosen).report()
    except (SQLAlchemyError, UnicodeDecodeError) as error:
        if is_damaged(error):
            raise damaged(store.address) from None
        raise OSError(f"{store.address.shown} could not be read: {store.trouble(error)}") from None
    except msgspec.MsgspecError as error:
        raise OSError(f"{store.address.shown} has a row that this version cannot read: {error}") from None
    if store.was_written():
        raise OSError(f"{store.address.shown} was written while it was read: read it again")
    return found


def _runs(connection: Connection, store: Store) -> list[Run]:
    wanted, probe = select(RUNS).order_by(RUNS.c.number), store.address.probe
    rows = connection.execute(wanted if probe is None else wanted.where(RUNS.c.probe == clean(probe))).all()
    if not rows and (known := connection.scalars(select(RUNS.c.probe).distinct()).all()):
        raise InputError(f"no probe {probe!r} has written there", file=store.address.shown,
                         fix=f"name one that has: {', '.join(sorted(known)[:SHOWN])}")
    return [Run(row.number, row.kind, row.generator, row.began, row.said) for row in rows]


class Assembly:
    """Assembles a report from the rows of `runs` within `period`."""

    def __init__(self, connection: Connection, runs: list[Run], period: Span) -> None:
        self._connection = connection
        self._runs = {run.number: run for run in runs}
        self._period = period

    def report(self) -> Report:
        findings, incidents = _linked(self._findings(), self._incidents())
        inconclusive, reached = counts(self._rows("counts"), self._runs, self._period)
        parts = Parts(
            moves=self._told(Move, "moves", self._at("moves")), tries=self._told(Try, "tries", self._at("tries")),
            registrations=self._told(Registration, "registrations", self._within("registrations")),
            calls=self._told(CallSpan, "calls", self._within("calls")),
            later=self._left_later(),
        )
        generators = {run.generator for run in self._runs.values()}
        return Report(
            schema=SCHEMA, generator=generators.pop() if len(generators) == 1 else f"sipaudit {__version__}",
            captures=captures(self._rows("captures"), self._runs, self._period), servers=self._servers(),
            lines=lines(self._rows("lines"), parts, self._period), findings=findings, inconclusive=inconclusive,
            reached=reached, incidents=incidents, events=self._values(KnownEvent, "events", self._at("events")),
            notes=list(dict.fromkeys(self._values(str, "notes"))), minutes=self._minutes(),
        )

    # rows

    def _rows(self, name: str, *conditions: ColumnElement[bool]) -> list[Row[Any]]:
        """The rows of a table, run by run, in the order in which they were first stored."""
        table = TABLES[name]
        if not self._runs:
            return []
        wanted = select(table).where(table.c.run.in_(list(self._runs)), *conditions)
        return list(self._connection.execute(wanted.order_by(table.c.run, table.c.number)))

    def _values(self, kind: type[T], name: str, *conditions: ColumnElement[bool]) -> list[T]:
        return [_value(kind, row) for row in self._rows(name, *conditions)]

    def _told(self, kind: type[T], name: str, *conditions: ColumnElement[bool]) -> list[tuple[Who, T]]:
        """The values of a table, each with its line and phone."""
        return [((row.line, row.phone), _value(kind, row)) for row in self._rows(name, *conditions)]

    def _left_later(self) -> dict[Who, str]:
        """By line and phone, the server that the first move after the period leaves: the working server at its end."""
        moves = TABLES["moves"].c
        if not self._runs or self._period.end == float("inf"):
            return {}
        after = and_(moves.run.in_(list(self._runs)), moves.time > self._period.end)
        first = select(moves.line, moves.phone, func.min(moves.time).label("time")).where(after).group_by(
            moves.line, moves.phone).subquery()
        it = and_(moves.line == first.c.line, moves.phone == first.c.phone, moves.time == first.c.time)
        found = select(moves.line, moves.phone, moves.source).select_from(TABLES["moves"].join(first, it)).where(after)
        return {(row.line, row.phone): row.source for row in self._connection.execute(found.order_by(moves.number))}

    def _at(self, name: str) -> ColumnElement[bool]:
        """The condition for rows whose `time` lies in the period."""
        return TABLES[name].c.time.between(self._period.start, self._period.end)

    def _within(self, name: str) -> ColumnElement[bool]:
        """The condition for rows whose `since` to `until` overlaps the period; a missing time is no bound."""
        table = TABLES[name]
        return and_(or_(table.c.since.is_(None), table.c.since <= self._period.end),
                    or_(table.c.until.is_(None), table.c.until >= self._period.start))

    # parts of the report

    def _servers(self) -> list[ServerSummary]:
        newest = {server.server: server for server in self._values(ServerSummary, "servers")}
        return sorted(newest.values(), key=lambda row: (row.entry or "~", row.priority or 0, row.server))

    def _minutes(self) -> list[ServerMinute]:
        table = TABLES["minutes"]
        within = and_(table.c.time <= self._period.end, table.c.time >= self._period.start - MINUTE)
        return self._values(ServerMinute, "minutes", within)

    def _findings(self) -> list[Finding]:
        table = TABLES["findings"]
        found = [self._named(_value(Finding, row), row.run) for row in self._rows(
            "findings", table.c.withdrawn.is_(None), or_(table.c.time.is_(None), self._at("findings")))]
        return sorted(found, key=lambda one: (one.time or 0.0, one.line or "", one.phone or "", one.rule))

    def _named(self, finding: Finding, run: int) -> Finding:
        return replace(finding, id=self._id(finding.id, run), cause=self._id(finding.cause, run),
                       incident=self._id(finding.incident, run))

    def _incidents(self) -> list[Incident]:
        table = TABLES["incidents"]
        rows = self._rows("incidents", table.c.withdrawn.is_(None), self._within("incidents"))
        told = [(row.run, _value(Incident, row)) for row in rows]
        named = [replace(one, id=self._id(one.id, run), findings=[self._id(each, run) for each in one.findings])
                 for run, one in told]
        return named if len(self._runs) == 1 else sorted(named, key=lambda one: one.start)

    def _id(self, id_: Any, run: int) -> Any:
        """An id, with the number of its run if there are several: each of them may have an `f-000001`."""
        return id_ if id_ is None or len(self._runs) == 1 else f"{id_}-r{run}"


def _linked(findings: list[Finding], incidents: list[Incident]) -> tuple[list[Finding], list[Incident]]:
    """Findings and incidents without references to those outside the period."""
    found, told = {one.id for one in findings}, {one.id for one in incidents}
    return ([replace(one, cause=one.cause if one.cause in found else None,
                     incident=one.incident if one.incident in told else None) for one in findings],
            [replace(one, findings=[each for each in one.findings if each in found]) for one in incidents])


def _value(kind: type[T], row: Row[Any]) -> T:
    return msgspec.json.decode(row.body, type=kind, dec_hook=read_proof)
