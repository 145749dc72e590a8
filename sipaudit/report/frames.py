"""Parts of a report as pandas DataFrames, with the same columns and types whether there are rows or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from sipaudit.incidents import metrics
from sipaudit.model.values import Report, Severity
from sipaudit.report.exhibits import PlacedMessage
from sipaudit.report.messages import batches, schema

if TYPE_CHECKING:
    import pandas as pd

TEXT, TIME, SECONDS, COUNT, OBJECT = "string", "time", "float64", "int64", "object"

FINDINGS = {
    "id": TEXT, "rule": TEXT, "severity": "severity", "confidence": TEXT, "line": TEXT, "phone": TEXT, "server": TEXT,
    "time": TIME, "expected": TEXT, "observed": TEXT, "basis": OBJECT, "facts": OBJECT, "assumptions": OBJECT,
    "also": OBJECT, "cause": TEXT, "incident": TEXT, "suppressed": TEXT, "wireshark": TEXT, "evidence": OBJECT,
}
LINES = {
    "line": TEXT, "phone": TEXT, "contact": TEXT, "mac": TEXT, "user_agent": TEXT, "model": TEXT, "firmware": TEXT,
    "label": TEXT, "group": TEXT, "entry": TEXT, "entries": OBJECT, "regime": TEXT, "mode": TEXT, "working": TEXT,
    "first": TIME, "last": TIME, "calls": COUNT, "settings": OBJECT, "inconclusive": OBJECT, "declare": OBJECT,
}
MOVES = {
    "line": TEXT, "phone": TEXT, "time": TIME, "first_packet": TIME, "kind": TEXT, "from": TEXT, "to": TEXT,
    "cause": TEXT, "evidence": OBJECT,
}
REGISTRATIONS = {
    "line": TEXT, "phone": TEXT, "server": TEXT, "from": TIME, "until": TIME, "expires": SECONDS, "refreshes": COUNT,
    "end": TEXT,
}
INCIDENTS = {
    "id": TEXT, "kind": TEXT, "server": TEXT, "entry": TEXT, "state": TEXT, "start": TIME, "end": TIME,
    "lines": OBJECT, "phones": COUNT, "groups": OBJECT, "findings": OBJECT, **dict.fromkeys(metrics.NAMES, SECONDS),
    "evidence": OBJECT, "timeline": OBJECT,
}
SEVERITIES = tuple(map(str, Severity))


def findings(report: Report) -> pd.DataFrame:
    return _frame(FINDINGS, map(msgspec.to_builtins, report.findings))


def lines(report: Report) -> pd.DataFrame:
    return _frame(LINES, map(msgspec.to_builtins, report.lines))


def moves(report: Report) -> pd.DataFrame:
    return _frame(MOVES, _of_lines(report, "moves"))


def registrations(report: Report) -> pd.DataFrame:
    return _frame(REGISTRATIONS, _of_lines(report, "registrations"))


def incidents(report: Report) -> pd.DataFrame:
    return _frame(INCIDENTS, ({**msgspec.to_builtins(incident), **incident.metrics} for incident in report.incidents))


def messages(placed: Iterable[PlacedMessage]) -> pd.DataFrame:
    """The table of messages in pandas' own types, nullable ones for numbers and flags that may be missing."""
    import pandas as pd
    import pyarrow as pa

    types = {pa.uint64(): pd.UInt64Dtype(), pa.int16(): pd.Int16Dtype(), pa.uint32(): pd.UInt32Dtype(),
             pa.bool_(): pd.BooleanDtype(), pa.string(): pd.StringDtype()}
    table = pa.Table.from_batches(batches(placed), schema=schema())
    return table.to_pandas(types_mapper=types.get)


def _of_lines(report: Report, what: str) -> Iterator[dict[str, Any]]:
    """The rows in the field `what` of all lines, each with its line and phone."""
    for line in report.lines:
        for row in msgspec.to_builtins(getattr(line, what)):
            yield {"line": line.line, "phone": line.phone, **row}


def _frame(columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    whole = list(rows)
    return pd.DataFrame({name: _column([row.get(name) for row in whole], kind) for name, kind in columns.items()})


def _column(column: list[Any], kind: str) -> pd.Series[Any]:
    import pandas as pd

    if kind == TIME:
        microseconds = [None if time is None else round(time * 1_000_000) for time in column]
        return pd.to_datetime(pd.Series(microseconds, dtype="Int64"), unit="us", utc=True).dt.as_unit("us")
    if kind == "severity":
        return pd.Series(pd.Categorical(column, SEVERITIES, ordered=True))
    return pd.Series(column, dtype=kind)
