"""The URL of a store and sipaudit's own options in it: the probe that writes, and how long rows are kept."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from sipaudit.errors import InputError
from sipaudit.store.schema import TABLES
from sipaudit.yamlfile.wording import nearest

EXAMPLES = "write sqlite:///sipaudit.db or postgresql+psycopg://user@host/database"
KEEP = "keep_"
DAYS: Mapping[str, float] = dict.fromkeys(TABLES, 400.0) | {
    "registrations": 90.0, "calls": 90.0, "minutes": 90.0, "health": 30.0}
"""Days for which the rows of each table are kept unless the URL says otherwise; 0 means for ever."""


@dataclass(frozen=True)
class Address:
    """A store: its URL, the name of the probe (None: not given), and for how many days the rows of each table are kept.

    `shown` is the URL without its password, which anybody may read.
    """

    url: URL
    probe: str | None
    days: Mapping[str, float]

    @property
    def file(self) -> Path | None:
        """The file of a SQLite store, None for PostgreSQL."""
        return Path(str(self.url.database)) if self.url.get_backend_name() == "sqlite" else None

    @property
    def shown(self) -> str:
        """The URL as a user writes it and can paste it again; secrets are hidden, and a file's path is not escaped
        except for `%` and `?`."""
        if self.file is not None and not self.url.query:
            return "sqlite:///" + str(self.file).replace("%", "%25").replace("?", "%3F")
        query = {name: "***" if _is_secret(name) else value for name, value in self.url.query.items()}
        return self.url.set(query=query).render_as_string(hide_password=True)

    @property
    def writer(self) -> str:
        """The name of the probe that writes: the host's name unless the URL gives one."""
        return self.probe or socket.gethostname() or "sipaudit"

    def without_secrets(self, text: str) -> str:
        """The message of a library, with any secret of the URL that it repeats replaced by `***`."""
        secrets = [str(self.url.password or ""),
                   *(str(value) for name, value in self.url.query.items() if _is_secret(name))]
        for secret in filter(None, secrets):
            text = text.replace(secret, "***")
        return text


def _is_secret(option: str) -> bool:
    """Whether an option of libpq holds a password (`password`, `sslpassword`, `passfile`)."""
    return "pass" in option.lower()


def parse(text: str) -> Address:
    """Parse the URL of a store, without opening anything. Raises InputError."""
    try:
        text.encode()   # a URL that the terminal did not write in UTF-8 cannot be shown
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InputError("this is not the URL of a store", fix=EXAMPLES) from None  # no quote: passwords
    url = _with_driver(url)
    ours = {name: _single(name, value) for name, value in url.query.items() if name == "probe" or name.startswith(KEEP)}
    url = url.difference_update_query(ours)
    if url.get_backend_name() == "sqlite":
        _check_sqlite(url)
    probe = ours.pop("probe", None)
    return Address(url, probe, dict(DAYS) | {_table(name): _days(name, value) for name, value in ours.items()})


def _with_driver(url: URL) -> URL:
    drivers = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg",
               "postgresql+psycopg": "postgresql+psycopg"}
    if url.drivername not in drivers:
        raise InputError(f"there is no store of the kind {url.drivername!r}", fix=EXAMPLES)
    return url.set(drivername=drivers[url.drivername])


def _check_sqlite(url: URL) -> None:
    if url.host or not url.database or url.database == ":memory:":
        raise InputError("a SQLite store is a file, and the URL names none",
                         fix="write sqlite:///sipaudit.db, or with a fourth slash sqlite:////var/lib/sipaudit.db")
    if url.query:
        name = next(iter(url.query))
        raise InputError(f"{name!r} is no option of a SQLite store", fix=_options(name))


def _single(name: str, value: str | tuple[str, ...]) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name} is said {len(value)} times", fix="say it once")
    return value


def _table(name: str) -> str:
    table = name.removeprefix(KEEP)
    if table not in DAYS:
        raise InputError(f"{name!r} names no table of the store", fix=_options(name))
    return table


def _options(name: str) -> str:
    known = ["probe", *(KEEP + table for table in DAYS)]
    best = nearest(name, known)
    return f"did you mean {best!r}?" if best else f"there are {', '.join(known)}"


def _days(name: str, text: str) -> float:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise InputError(f"{name}={text} is no number of days", fix=f"write {name}=90, or {name}=0 for ever")
    return float(text)
