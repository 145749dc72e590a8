"""What the rest of a report needs: tries, calls, minutes of the servers, known events and notes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
REAL = sa.Float(53)


def upgrade() -> None:
    _table("tries", "line phone server method result", numbers="time", by="time")
    _table("calls", "line phone server", numbers="since until", by="since")
    _table("minutes", "server", numbers="time", by="time")
    _table("events", "what", numbers="time", by="time")
    _table("notes")


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
