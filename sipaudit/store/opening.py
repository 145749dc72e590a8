"""A store opened: reached, of our making, and as new as this program."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from sipaudit.errors import InputError
from sipaudit.safe_text import safe_text
from sipaudit.store import migration
from sipaudit.store.address import Address, parse

PATIENCE = 5.0      # seconds to wait for a connection, or for who else writes into a SQLite store
OURS = 0o600        # who telephones with whom is nobody else's business
STATEMENT = 30_000  # milliseconds after which PostgreSQL gives a writing statement up


class Store:
    """A store that was reached; `address` is where. To be closed."""

    def __init__(self, address: Address, engine: Engine) -> None:
        self.address = address
        self.engine = engine

    def close(self) -> None:
        self.engine.dispose()

    def trouble(self, error: Exception) -> str:
        """The first line of what went wrong, without secrets, and harmless: a database quotes what it was given."""
        said = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        lines = str(said).strip().splitlines() or [type(said).__name__]
        return safe_text(self.address.without_secrets(lines[0]))


def open_for_writing(url: str) -> Store:
    """The store, made if it is not there, and brought to the newest form. Raises InputError."""
    address = parse(url)
    if address.file is not None:
        with suppress(OSError):     # SQLite will say it
            os.close(os.open(address.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OURS))
    return _opened(address, writing=True)


def open_for_reading(url: str) -> Store:
    """A store that is there, brought to the newest form. Raises InputError."""
    address = parse(url)
    if address.file is not None and not address.file.is_file():
        raise InputError("there is no such store", fix="name the store that live or analyze --store wrote",
                         file=address.shown)
    return _opened(address, writing=False)


def _opened(address: Address, *, writing: bool) -> Store:
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
    except (SQLAlchemyError, OSError) as error:
        store.close()
        raise InputError(f"cannot be opened: {store.trouble(error)}", fix=_fix(address), file=address.shown) from None
    except InputError:
        store.close()
        raise
    return store


def _fix(address: Address) -> str:
    if address.file is not None:
        return "name a file in a directory that can be written, which holds nothing but a store"
    return "check that PostgreSQL runs there and lets this user into a database of its own"


def make_engine(address: Address, *, writing: bool) -> Engine:
    """One connection at a time, made anew when it broke. Nothing is reached yet."""
    if address.file is not None:
        return _sqlite(address, writing=writing)
    return create_engine(address.url, pool_size=1, max_overflow=0, pool_timeout=PATIENCE, pool_pre_ping=True,
                         hide_parameters=True, connect_args=_postgres_arguments(address, writing=writing))


def _postgres_arguments(address: Address, *, writing: bool) -> dict[str, Any]:
    """What libpq is told unless the URL says otherwise, so that a dead network is noticed in seconds."""
    wanted: dict[str, Any] = {"connect_timeout": int(PATIENCE), "application_name": "sipaudit", "keepalives_idle": 10,
                              "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15_000}
    if writing:
        wanted["options"] = f"-c statement_timeout={STATEMENT}"
    return {name: value for name, value in wanted.items() if name not in address.url.query}


def _sqlite(address: Address, *, writing: bool) -> Engine:
    """SQLite with transactions that begin when we say so: a writer asks for the lock at once, and waits for it then."""
    engine = create_engine(address.url, pool_size=1, max_overflow=0, pool_timeout=PATIENCE,
                           hide_parameters=True, connect_args={"timeout": PATIENCE})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON") if writing else (
                "foreign_keys = ON",):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
