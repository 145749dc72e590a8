"""Writes the report of an analysis into the store, which has it once however often the captures are analysed."""

from __future__ import annotations

import json
import time

from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import SQLAlchemyError

from sipaudit.model.values import Report
from sipaudit.store.opening import Store
from sipaudit.store.retention import prune
from sipaudit.store.schema import RUNS
from sipaudit.store.telling import tell
from sipaudit.store.text import clean, digest
from sipaudit.store.writing import RunOf, write


def keep(store: Store, report: Report) -> None:
    """Write a report in one transaction. It replaces every analysis by this probe whose captures are all among those
    of the report. Raises OSError when the store fails."""
    address = store.address
    sources = sources_of(report)
    run = RunOf("analysis-" + digest(address.writer, sources), address.writer, "analysis", report.generator,
                json.dumps(sources))
    try:
        with store.engine.begin() as connection:
            _forget(connection, address.writer, set(sources))
            write(connection, run, tell(report), time.time())
        for _ in prune(store.engine, address.writer, address.days, time.time()):
            pass
    except SQLAlchemyError as error:
        raise OSError(f"the report could not be written into {address.shown}: {store.trouble(error)}") from None


def sources_of(report: Report) -> list[str]:
    """Names of a report's captures: the file name without its folder, and the time of the first packet. The number of
    packets is left out, so that a file that has grown keeps its name."""
    return sorted({f"{clean(capture.path.rpartition('/')[2])}@{capture.first}" for capture in report.captures})


def _forget(connection: Connection, probe: str, sources: set[str]) -> None:
    """Remove the probe's analyses whose captures are all among `sources`."""
    mine = select(RUNS.c.number, RUNS.c.sources).where(RUNS.c.probe == clean(probe), RUNS.c.kind == "analysis")
    for number, text in connection.execute(mine).all():
        if set(json.loads(text)) <= sources:
            connection.execute(delete(RUNS).where(RUNS.c.number == number))
