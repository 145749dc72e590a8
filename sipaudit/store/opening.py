"""Opens a store: connects to it, checks that it is one, and upgrades it to the schema of this program."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from sipaudit.errors import InputError
from sipaudit.safe_text import safe_text
from sipaudit.store import migration, sqlite_file
from sipaudit.store.address import Address, parse

PATIENCE = 5.0      # seconds to wait for a connection, or for another writer's lock on a SQLite store
LEFT = 16 << 20     # bytes to which the -wal of SQLite is truncated, once no reader needs its older content
STATEMENT = 30_000  # milliseconds after which PostgreSQL cancels a statement of a writer


class Store:
    """An open store at `address`; call `close` at the end. `state` is the state of a SQLite file at opening, if it is
    read as immutable; `fault` is why the store could not be opened, if that is to be retried later."""

    def __init__(self, address: Address, engine: Engine, state: tuple[int, ...] | None = None,
                 fault: Exception | None = None) -> None:
        self.address = address
        self.engine = engine
        self.fault = fault
        self._state = state
        self._identity = None if address.file is None else sqlite_file.identity(address.file)

    def close(self) -> None:
        self.engine.dispose()

    def make_sure(self) -> bool:
        """Make sure that rows go to the file at the store's path: a SQLite file that was moved or removed while open
        would still take them, and nobody would notice. Returns whether a new file had to be created. Raises OSError,
        and what the database raises."""
        file = self.address.file
        if file is None or sqlite_file.identity(file) == self._identity:
            return False
        with closing(self.engine.raw_connection()) as old:   # complete the file that was moved
            old.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._open_anew()
        return True

    def try_again(self) -> None:
        """Prepare for the next write after a failure: connect again, and create missing tables, except for a SQLite
        file that was open before. An old connection to PostgreSQL would stay with a former primary, now read-only; a
        database that was dropped and created again has no tables. Raises OSError, and what the database raises."""
        if self.address.file is None or self.fault is not None:
            self._open_anew()

    def _open_anew(self) -> None:
        self.engine.dispose()
        try:
            if self.address.file is not None:
                _make_file(self.address, self.address.file)
            migration.bring_up(self.engine, make=True, shown=self.address.shown)
        except InputError as error:
            raise OSError(str(error)) from None
        self.fault = None
        self._identity = None if self.address.file is None else sqlite_file.identity(self.address.file)

    def was_written(self) -> bool:
        """Whether a file that is read as immutable has been written meanwhile: the rows read may be inconsistent."""
        return self._state is not None and self.address.file is not None and (
            self._state != sqlite_file.state(self.address.file))

    def trouble(self, error: Exception) -> str:
        """The first line of an error message, without secrets and safe to print: databases quote their input."""
        return trouble(self.address, error)


def trouble(address: Address, error: Exception) -> str:
    """The first line of an error message, without secrets and safe to print: databases quote their input."""
    said: object = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        said = error.orig
    elif isinstance(error, OSError):
        said = error.strerror or error
    lines = str(said).strip().splitlines() or [type(said).__name__]
    return safe_text(address.without_secrets(lines[0]))


def open_for_writing(url: str, *, later: bool = False) -> Store:
    """Open a store, create it if it is missing, and upgrade it. Raises InputError, and OSError where the disk is full
    or broken; with `later`, a store that cannot be reached now is returned with its `fault`, to be retried."""
    address = parse(url)
    try:
        if address.file is not None:
            _make_file(address, address.file)
        return _opened(address, writing=True)
    except (SQLAlchemyError, OSError, UnicodeDecodeError) as error:
        if later and isinstance(error, OperationalError | OSError):
            return Store(address, make_engine(address, writing=True), fault=error)
        raise _unusable(address, error, "name a store that you may write, in a directory that you may write; a file of "
                        "something else is none") from None


def _make_file(address: Address, file: Path) -> None:
    """Create a missing SQLite file, complete and with its permissions or not at all. Raises OSError if we may not write
    the file: SQLite would silently open it read-only."""
    sqlite_file.make_whole(file, lambda new: _opened(
        replace(address, url=address.url.set(database=str(new))), writing=True).close())
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, sqlite_file.OURS))


def open_for_reading(url: str) -> Store:
    """Open an existing store and upgrade it. Raises InputError, and OSError where the disk is full or broken."""
    address = parse(url)
    if address.file is not None and not address.file.is_file():
        raise InputError("there is no such store", fix="name the store that live or analyze --store wrote",
                         file=address.shown)
    try:
        return _at_rest(address) or _opened(address, writing=False)
    except (SQLAlchemyError, OSError, UnicodeDecodeError) as error:
        raise _unusable(address, error, "read it as the user who writes it, or copy it, and the -wal beside it, to "
                        "where you may write") from None


def _at_rest(address: Address) -> Store | None:
    """Open a SQLite file that nobody is writing and that needs no upgrade: this works without any write access.
    None for other stores."""
    if address.file is None or not sqlite_file.is_at_rest(address.file):
        return None
    store = Store(address, _engine_at_rest(address.file), sqlite_file.state(address.file))
    with suppress(SQLAlchemyError):
        if migration.is_newest(store.engine):
            return store
    store.close()
    return None


def _opened(address: Address, *, writing: bool) -> Store:
    """Connect and upgrade. Raises InputError, and what the database raises."""
    try:
        engine = make_engine(address, writing=writing)
    except ModuleNotFoundError:
        raise InputError("PostgreSQL needs psycopg, which is not installed", fix="pip install 'sipaudit[postgres]'",
                         file=address.shown) from None
    except ImportError as error:  # psycopg without its libpq
        raise InputError(f"psycopg does not work here: {address.without_secrets(str(error))}",
                         fix="pip install 'sipaudit[postgres]'", file=address.shown) from None
    store = Store(address, engine)
    try:
        migration.bring_up(engine, make=writing, shown=address.shown)
    except BaseException:
        store.close()
        raise
    return store


def _unusable(address: Address, error: SQLAlchemyError | OSError | UnicodeDecodeError, fix: str) -> Exception:
    """The exception to raise instead of `error`: OSError for a full or broken disk, otherwise InputError."""
    said = trouble(address, error)
    if is_damaged(error):
        return damaged(address)
    if sqlite_file.is_failing(error.orig if isinstance(error, DBAPIError) else error):
        return OSError(f"{address.shown} cannot be opened: {said}")
    if address.file is None:
        fix = "check that PostgreSQL runs there and lets this user into a database of its own"
    elif "not a database" in said:
        fix = "name a file that sipaudit wrote as a store, or one that is not there yet"
    return InputError(f"cannot be opened: {said}", fix=fix, file=address.shown)


def is_damaged(error: Exception) -> bool:
    """Whether the error means that a SQLite file is corrupt."""
    return sqlite_file.is_damaged(error.orig if isinstance(error, DBAPIError) else error)


def damaged(address: Address) -> InputError:
    return InputError("is damaged", file=address.shown, fix="take a copy from before; what can still be read, "
                      "`sqlite3 FILE .recover` saves")


def make_engine(address: Address, *, writing: bool) -> Engine:
    """An engine with a single connection, which is replaced when it breaks. This does not connect yet."""
    if address.file is not None:
        return _sqlite(address, writing=writing)
    return create_engine(address.url, pool_size=1, max_overflow=0, pool_timeout=PATIENCE, pool_pre_ping=True,
                         hide_parameters=True, connect_args=_postgres_arguments(address, writing=writing))


def _postgres_arguments(address: Address, *, writing: bool) -> dict[str, Any]:
    """Options for libpq, except those that the URL sets: they make a dead network noticed within seconds."""
    wanted: dict[str, Any] = {"connect_timeout": int(PATIENCE), "application_name": "sipaudit", "keepalives_idle": 10,
                              "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
    if writing:
        wanted["options"] = f"-c statement_timeout={STATEMENT}"
    return {name: value for name, value in wanted.items() if name not in address.url.query}


def _sqlite(address: Address, *, writing: bool) -> Engine:
    """SQLite with explicit BEGIN: a writer takes the write lock at once (BEGIN IMMEDIATE), and waits for it there."""
    engine = create_engine(address.url, pool_size=1, max_overflow=0, pool_timeout=PATIENCE,
                           hide_parameters=True, connect_args={"timeout": PATIENCE})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON",
                       f"journal_size_limit = {LEFT}") if writing else ("foreign_keys = ON",):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _engine_at_rest(file: Path) -> Engine:
    return create_engine("sqlite://", creator=lambda: sqlite_file.connect_at_rest(file), poolclass=NullPool,
                         hide_parameters=True)
