"""Upgrades a store to the newest schema: reads its revision and applies the migrations in this package."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from sipaudit.errors import InputError

VERSIONS = "sipaudit_version"   # the table of the revision; alembic's default name may be another application's
ALONE = 5_066_546               # the advisory lock that lets one program at a time upgrade a PostgreSQL store


def bring_up(engine: Engine, *, make: bool, shown: str) -> None:
    """Apply the migrations that the store lacks, in one transaction. Raises InputError if the store is newer than this
    program or, unless `make`, if the database is not a store."""
    script = ScriptDirectory.from_config(configuration())
    with engine.connect() as connection:
        found = _revision(connection)
    if found == script.get_current_head():
        return
    if found is None and not make:
        raise InputError("is no store of sipaudit", fix="name the store that live or analyze --store wrote", file=shown)
    if found is not None and found not in {each.revision for each in script.walk_revisions()}:
        raise InputError(f"was written by a newer sipaudit (revision {found})",
                         fix="update sipaudit here, or name another store", file=shown)
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ALONE})
        command.upgrade(configuration(connection), "head")


def is_newest(engine: Engine) -> bool:
    """Whether the store has all migrations of this program."""
    with engine.connect() as connection:
        return _revision(connection) == ScriptDirectory.from_config(configuration()).get_current_head()


def configuration(connection: Connection | None = None) -> Config:
    """The configuration of alembic; migrations run on `connection`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSIONS})
    return context.get_current_revision()
