"""Writes sayings to the store, a batch at a time; a saying about the same thing as an earlier one replaces its row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Insert, Table, bindparam, select, update
from sqlalchemy.dialects import postgresql, sqlite

from sipaudit.model.sayings import FindingSaid, IncidentSaid, Saying, Withdrawn
from sipaudit.store.rows import FORMS, Row, row_of
from sipaudit.store.schema import RUNS, TABLES
from sipaudit.store.text import clean

WITHDRAWABLE = ("findings", "incidents")
FIXED = ("number", "run", "key")  # columns that keep their values when a row is replaced


class RunOf(Struct, frozen=True):
    """The run that sayings belong to: a run of a probe, or an analysis. Ids of findings and incidents are unique in it.

    `sources` is a JSON list of the captures of an analysis.
    """

    identity: str
    probe: str
    kind: str
    generator: str
    sources: str = ""


class Stood(Saying, frozen=True, tag="stood"):
    """A finding or incident that an earlier process of the run reported, and perhaps did not write before it was
    killed.  A row that was withdrawn stays withdrawn."""

    saying: FindingSaid | IncidentSaid


@dataclass
class Batch:
    """A batch prepared for writing: the last saying of each row, and the reason (by id) for each finding or incident
    that was withdrawn after its last saying. `began` and `said` are the first and the last time of a saying."""

    stood: dict[tuple[str, str], Row] = field(default_factory=dict)
    rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    withdrawn: dict[str, str] = field(default_factory=dict)
    began: float = float("inf")
    said: float = float("-inf")

    def add(self, saying: Saying) -> None:
        self.began, self.said = min(self.began, saying.time), max(self.said, saying.time)
        if isinstance(saying, Withdrawn):
            self.withdrawn[saying.id] = saying.reason
        elif isinstance(saying, Stood):
            row = row_of(saying.saying)
            self.stood[row.table, row.key] = row
        elif type(saying) in FORMS:
            row = row_of(saying)
            self.rows[row.table, row.key] = row
            if isinstance(saying, FindingSaid | IncidentSaid):
                self.withdrawn.pop(row.key, None)


def write(connection: Connection, run: RunOf, sayings: Iterable[Saying], now: float) -> int:
    """Write sayings as if in their order, and return the number of rows. `now` is clock time, seconds since the epoch.
    The caller's transaction is used."""
    batch = Batch()
    for saying in sayings:
        batch.add(saying)
    if batch.began > batch.said:
        return 0
    number = _put_run(connection, run, batch.began, batch.said, now)
    kept = (*FIXED, "withdrawn")
    for rows, columns in ((batch.stood, kept), (batch.rows, FIXED)):
        _put(connection, {"run": number, "written": now}, rows.values(), columns)
    if batch.withdrawn:
        _withdraw(connection, number, batch.withdrawn)
    return len(batch.stood) + len(batch.rows)


def _put(connection: Connection, common: dict[str, Any], rows: Iterable[Row], kept: Sequence[str]) -> None:
    by_table: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_table.setdefault(row.table, []).append(common | row.values)
    for name, values in by_table.items():
        connection.execute(_upsert(connection, TABLES[name], kept), values)


def _put_run(connection: Connection, run: RunOf, began: float, said: float, now: float) -> int:
    """The number of the run in this store, which it gets with its first batch. Its `began` and `said` are extended to
    include this batch."""
    identity = clean(run.identity)
    found = connection.execute(select(RUNS).where(RUNS.c.identity == identity)).first()
    if found is not None:
        connection.execute(update(RUNS).where(RUNS.c.number == found.number).values(
            began=min(found.began, began), said=max(found.said, said), written=now))
        return int(found.number)
    statement = _insert(connection, RUNS).values(
        identity=identity, probe=clean(run.probe), kind=run.kind, generator=run.generator, began=began, said=said,
        written=now, sources=clean(run.sources))
    again = statement.on_conflict_do_update(index_elements=["identity"], set_={"written": now})
    return int(connection.execute(again.returning(RUNS.c.number)).scalar_one())


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def _upsert(connection: Connection, table: Table, kept: Sequence[str]) -> Insert:
    """An insert that, if a row has the same run and key, replaces that row's columns except those in `kept`."""
    statement = _insert(connection, table)
    new = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in kept}
    return statement.on_conflict_do_update(index_elements=["run", "key"], set_=new)


def _withdraw(connection: Connection, run: int, withdrawn: Mapping[str, str]) -> None:
    """Mark findings and incidents as withdrawn: the rows stay, with the reason."""
    marks = [{"of": clean(id_), "reason": clean(reason)} for id_, reason in withdrawn.items()]
    for name in WITHDRAWABLE:
        table = TABLES[name]
        connection.execute(
            update(table).where(table.c.run == run, table.c.key == bindparam("of")).values(
                withdrawn=bindparam("reason")), marks)
