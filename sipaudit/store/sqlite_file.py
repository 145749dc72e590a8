"""The file that a SQLite store is: made whole or not at all, and read where nothing can be written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, EIO, ENOSPC
from pathlib import Path
from uuid import uuid4

OURS = 0o600    # who telephones with whom is nobody else's business
BESIDE = ("-journal", "-shm", "-wal")   # what SQLite adds to a file's name
FAILS = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
NO_ROOM = (ENOSPC, EDQUOT, EIO)


def make_whole(file: Path, make: Callable[[Path], None]) -> None:
    """Where there is no `file`, what `make` makes of another name in the same directory. Nobody ever sees a part of
    it, and what is at that name meanwhile, of whomever, is left alone. Raises OSError.

    Where a file that is gone has left its `-wal`, nothing is made: SQLite would take that for the new one's, which it
    does not do with a file that is empty."""
    if os.path.lexists(file) or any(map(os.path.lexists, _beside(file))):
        return
    with _aside(file) as new:
        make(new)
        if not is_at_rest(new):     # SQLite does not say that it could not put all of it into the file
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        with suppress(OSError):     # somebody was faster, or the file system knows no second names
            os.link(new, file)
            _sync(file.parent)


@contextmanager
def _aside(file: Path) -> Iterator[Path]:
    """A new file of our own in the same directory, gone afterwards."""
    new = file.with_name(f".sipaudit-{uuid4().hex}")
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OURS))
    try:
        yield new
    finally:
        for path in (new, *_beside(new)):
            path.unlink(missing_ok=True)


def _beside(file: Path) -> list[Path]:
    return [file.with_name(file.name + ending) for ending in BESIDE]


def _sync(directory: Path) -> None:
    """Power loss takes no name any more."""
    there = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(there)
    finally:
        os.close(there)


def is_at_rest(file: Path) -> bool:
    """Whether the file holds all of its store: no writer has left, or is about to put, anything beside it."""
    journal, _, ahead = _beside(file.resolve())
    return not any(path.exists() and path.stat().st_size for path in (journal, ahead))


def connect_at_rest(file: Path) -> sqlite3.Connection:
    """To read a file at rest, and make nothing beside it: SQLite's usual way wants to, also to read, and a directory
    that may not be written, or a disk that is full, does not let it."""
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def state(file: Path) -> tuple[int, ...]:
    """What is another one once it was written."""
    now = file.stat()
    return now.st_ino, now.st_size, now.st_mtime_ns


def identity(file: Path) -> tuple[int, int] | None:
    """Which file has that name now; None where none has."""
    try:
        now = file.stat()
    except FileNotFoundError:
        return None
    return now.st_dev, now.st_ino


def is_damaged(error: BaseException | None) -> bool:
    """Whether something else has written into the file; SQLite quotes what it then finds, be it text or not."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT or "decode to UTF-8" in str(error)
    return isinstance(error, UnicodeDecodeError)


def is_failing(error: BaseException | None) -> bool:
    """Whether a disk is full or broken, which is nothing that the user named wrongly (contract 1: 1, not 2)."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in FAILS
    return isinstance(error, OSError) and error.errno in NO_ROOM
