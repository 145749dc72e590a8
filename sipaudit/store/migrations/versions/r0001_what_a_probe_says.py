"""Runs, and what a probe says of captures, servers, lines, findings and itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
REAL = sa.Float(53)


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("identity", sa.Text, nullable=False, unique=True),
        sa.Column("probe", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("generator", sa.Text, nullable=False),
        *(sa.Column(name, REAL, nullable=False) for name in ("began", "said", "written")),
        sa.Column("sources", sa.Text, nullable=False),
    )
    op.create_index("ix_runs_probe", "runs", ["probe"])
    _table("captures", "path", numbers="first last")
    _table("servers", "server name entry")
    _table("lines", "line phone label group_name working", numbers="first last")
    _table("moves", "line phone kind source target cause", numbers="time", by="time")
    _table("registrations", "line phone server ended", numbers="since until", by="until")
    _table("findings", "line phone server rule severity incident suppressed withdrawn", numbers="time", by="time")
    _table("incidents", "kind server entry state withdrawn", numbers="since until", by="since")
    _table("counts", "kind rule reason", numbers="times")
    _table("health", numbers="sip_per_s kernel_drops interface_drops lag_s memory_bytes", by="said")


def _table(name: str, texts: str = "", *, numbers: str = "", by: str | None = None) -> None:
    op.create_table(
        name,
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("run", NUMBER, sa.ForeignKey("runs.number", ondelete="CASCADE"), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("said", REAL, nullable=False),
        sa.Column("written", REAL, nullable=False),
        *(sa.Column(column, sa.Text) for column in texts.split()),
        *(sa.Column(column, REAL) for column in numbers.split()),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("run", "key", name=f"{name}_key"),
    )
    op.create_index(f"{name}_written", name, ["written"])
    if by is not None:
        op.create_index(f"{name}_{by}", name, [by])
