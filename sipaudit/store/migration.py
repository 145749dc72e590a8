"""The form of a store: told from its revision, and brought to the newest by the migrations that the package carries."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from sipaudit.errors import InputError

VERSIONS = "sipaudit_version"   # the table that holds the revision; alembic's usual name may be somebody else's
ALONE = 5_066_546               # the advisory lock under which one program at a time brings a PostgreSQL store up


def bring_up(engine: Engine, *, make: bool, shown: str) -> None:
    """Apply the migrations that the store lacks, all or none. Raises InputError for a store that is newer than this
    program and, unless `make`, for a database that is no store."""
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
    """Whether it is a store that lacks no migration."""
    with engine.connect() as connection:
        return _revision(connection) == ScriptDirectory.from_config(configuration()).get_current_head()


def configuration(connection: Connection | None = None) -> Config:
    """What alembic needs to know; `connection` is the one that migrations run on."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _revision(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSIONS})
    return context.get_current_revision()
