"""Rows grow old: those of this probe that nobody has written anew for as many days as their table keeps them go.

The days count from the writing, not from the time of the packets: an old capture that was analysed today stays.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from sqlalchemy import Engine, delete, exists, func, select

from sipaudit.store.schema import RUNS, TABLES
from sipaudit.store.text import clean

DAY = 86_400.0
ROWS_AT_ONCE = 1_000     # rows deleted in one transaction
SAID_ONCE = frozenset({"servers", "lines", "events", "notes"})  # what holds as long as the run goes on, unsaid


class Trust:
    """In our clock, by which rows grow old. A machine whose battery is empty may start in another year, and would lose
    all it has kept: after a leap of more than a day nothing is old until the next look, by when it may be set again."""

    def __init__(self, engine: Engine, probe: str) -> None:
        """A leap counts from what this probe has written last. Raises SQLAlchemyError."""
        with engine.connect() as connection:
            last = connection.execute(select(func.max(RUNS.c.written)).where(RUNS.c.probe == clean(probe))).scalar()
        self._ahead = (time.time() if last is None else float(last)) - time.monotonic()

    def holds(self) -> bool:
        """Whether there was no leap since the last look."""
        before, self._ahead = self._ahead, time.time() - time.monotonic()
        return abs(self._ahead - before) <= DAY


def prune(engine: Engine, probe: str, days: Mapping[str, float], now: float) -> Iterator[int]:
    """Delete what is too old, a transaction and a yield of its count for every ROWS_AT_ONCE rows, so that writing gets
    its turn in between. `now` is the clock's, seconds since the epoch; 0 days are for ever."""
    for name, kept in days.items():
        while kept and (count := _delete(engine, name, probe, now - kept * DAY)):
            yield count
    oldest = max(days.values()) if all(days.values()) else None
    if oldest is not None:
        yield _delete_runs(engine, probe, now - oldest * DAY)


def _delete(engine: Engine, name: str, probe: str, before: float) -> int:
    table = TABLES[name]
    mine = select(RUNS.c.number).where(RUNS.c.probe == clean(probe))
    if name in SAID_ONCE:
        old = select(table.c.number).where(table.c.run.in_(mine.where(RUNS.c.written < before))).limit(ROWS_AT_ONCE)
    else:
        old = select(table.c.number).where(table.c.written < before, table.c.run.in_(mine)).limit(ROWS_AT_ONCE)
    with engine.begin() as connection:
        return connection.execute(delete(table).where(table.c.number.in_(old))).rowcount


def _delete_runs(engine: Engine, probe: str, before: float) -> int:
    """Runs of which nothing is left."""
    left = [~exists(select(table.c.number).where(table.c.run == RUNS.c.number)) for table in TABLES.values()]
    with engine.begin() as connection:
        return connection.execute(
            delete(RUNS).where(RUNS.c.probe == clean(probe), RUNS.c.written < before, *left)).rowcount
