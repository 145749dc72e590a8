"""Deletes the rows of this probe that have not been written for more days than their table keeps them.

The days count from the last write, not from packet time: an old capture that was analysed today stays.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from sqlalchemy import Engine, delete, exists, func, select

from sipaudit.store.schema import RUNS, TABLES
from sipaudit.store.text import clean

DAY = 86_400.0
ROWS_AT_ONCE = 1_000     # rows deleted in one transaction
SAID_ONCE = frozenset({"servers", "lines", "events", "notes"})  # written once: as old as their run's last write


class Trust:
    """Whether to trust our clock, which says how old rows are. A machine with an empty clock battery may start in
    another year, and would delete all its rows. So after a clock step of more than a day nothing is deleted until the
    next check, by when the clock may have been corrected."""

    def __init__(self, engine: Engine, probe: str) -> None:
        """The first check compares the clock with this probe's last write. Raises SQLAlchemyError."""
        with engine.connect() as connection:
            last = connection.execute(select(func.max(RUNS.c.written)).where(RUNS.c.probe == clean(probe))).scalar()
        self._ahead = (time.time() if last is None else float(last)) - time.monotonic()

    def holds(self) -> bool:
        """Whether the clock made no step of more than a day since the last check."""
        before, self._ahead = self._ahead, time.time() - time.monotonic()
        return abs(self._ahead - before) <= DAY


def prune(engine: Engine, probe: str, days: Mapping[str, float], now: float) -> Iterator[int]:
    """Delete rows that are too old, at most ROWS_AT_ONCE in one transaction, and yield the count of each transaction,
    so that the caller can write in between. `now` is clock time, seconds since the epoch; 0 days mean forever."""
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
    """Delete runs last written before `before` that have no rows left in any table."""
    left = [~exists(select(table.c.number).where(table.c.run == RUNS.c.number)) for table in TABLES.values()]
    with engine.begin() as connection:
        return connection.execute(
            delete(RUNS).where(RUNS.c.probe == clean(probe), RUNS.c.written < before, *left)).rowcount
