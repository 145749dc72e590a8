"""The tables, as the newest migration leaves them (docs/store.md).

Every saying is a row. `run` and `key` identify it, so that a later saying about the same thing replaces it. `said` is
the time of the saying (packet time), `written` the clock time of the last write, from which its age counts. `body` is
the whole value as JSON, and the columns between are there to search by.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.sql.schema import SchemaItem

METADATA = MetaData()
NUMBER = BigInteger().with_variant(Integer, "sqlite")

RUNS = Table(
    "runs", METADATA,
    Column("number", NUMBER, primary_key=True, autoincrement=True),
    Column("identity", Text, nullable=False, unique=True),
    Column("probe", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("generator", Text, nullable=False),
    Column("began", Float(53), nullable=False),
    Column("said", Float(53), nullable=False),
    Column("written", Float(53), nullable=False),
    Column("sources", Text, nullable=False),
)


def _text(*names: str) -> list[SchemaItem]:
    return [Column(name, Text) for name in names]


def _number(*names: str) -> list[SchemaItem]:
    return [Column(name, Float(53)) for name in names]


def _table(name: str, *columns: SchemaItem, by: str | None = None) -> Table:
    """A table of sayings; `by` is the column that is indexed to find the rows of a period."""
    return Table(
        name, METADATA,
        Column("number", NUMBER, primary_key=True, autoincrement=True),
        Column("run", NUMBER, ForeignKey("runs.number", ondelete="CASCADE"), nullable=False),
        Column("key", Text, nullable=False),
        Column("said", Float(53), nullable=False),
        Column("written", Float(53), nullable=False),
        *columns,
        Column("body", Text, nullable=False),
        UniqueConstraint("run", "key", name=f"{name}_key"),
        Index(f"{name}_written", "written"),
        *([Index(f"{name}_{by}", by)] if by else []),
    )


TABLES: dict[str, Table] = {table.name: table for table in (
    _table("captures", *_text("path"), *_number("first", "last")),
    _table("servers", *_text("server", "name", "entry")),
    _table("lines", *_text("line", "phone", "label", "group_name", "working"), *_number("first", "last")),
    _table("moves", *_text("line", "phone", "kind", "source", "target", "cause"), *_number("time"), by="time"),
    _table("registrations", *_text("line", "phone", "server", "ended"), *_number("since", "until"), by="until"),
    _table("findings", *_text("line", "phone", "server", "rule", "severity", "incident", "suppressed", "withdrawn"),
           *_number("time"), by="time"),
    _table("incidents", *_text("kind", "server", "entry", "state", "withdrawn"), *_number("since", "until"),
           by="since"),
    _table("counts", *_text("kind", "rule", "reason"), *_number("times")),
    _table("health", *_number("sip_per_s", "kernel_drops", "interface_drops", "lag_s", "memory_bytes"), by="said"),
    _table("tries", *_text("line", "phone", "server", "method", "result"), *_number("time"), by="time"),
    _table("calls", *_text("line", "phone", "server"), *_number("since", "until"), by="since"),
    _table("minutes", *_text("server"), *_number("time"), by="time"),
    _table("events", *_text("what"), *_number("time"), by="time"),
    _table("notes"),
)}
