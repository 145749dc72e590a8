"""The file of a SQLite store: creates it complete or not at all, and reads it where nothing can be written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, EIO, ENOSPC
from pathlib import Path
from uuid import uuid4

OURS = 0o600    # permissions: who calls whom is private
BESIDE = ("-journal", "-shm", "-wal")   # endings of the files that SQLite creates beside the database
FAILS = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
NO_ROOM = (ENOSPC, EDQUOT, EIO)


def make_whole(file: Path, make: Callable[[Path], None]) -> None:
    """If there is no `file`, let `make` fill a file of another name in the same directory, and link that to `file`. So
    nobody ever sees an incomplete file, and one that somebody else creates meanwhile is left alone. Raises OSError.

    If a removed file has left its `-wal` behind, nothing is created: SQLite would apply that to the new file, which it
    does not do if the file is empty."""
    if os.path.lexists(file) or any(map(os.path.lexists, _beside(file))):
        return
    with _aside(file) as new:
        make(new)
        if not is_at_rest(new):     # SQLite reports no error if it could not move all of the -wal into the file
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        with suppress(OSError):     # somebody was faster, or the file system has no hard links
            os.link(new, file)
            _sync(file.parent)


@contextmanager
def _aside(file: Path) -> Iterator[Path]:
    """A temporary file in the directory of `file`, removed afterwards with what SQLite put beside it."""
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
    """Sync a directory, so that a new file name survives a power loss."""
    there = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(there)
    finally:
        os.close(there)


def is_at_rest(file: Path) -> bool:
    """Whether the file holds all of its store: there is neither a `-journal` nor a `-wal` with content beside it."""
    journal, _, ahead = _beside(file.resolve())
    return not any(path.exists() and path.stat().st_size for path in (journal, ahead))


def connect_at_rest(file: Path) -> sqlite3.Connection:
    """Open a file at rest read-only and immutable, so that SQLite creates nothing beside it: usually it does even for
    reading, which fails in a directory that we may not write, and on a full disk."""
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def state(file: Path) -> tuple[int, ...]:
    """The inode, size (bytes) and modification time (ns) of a file: they differ after a write."""
    now = file.stat()
    return now.st_ino, now.st_size, now.st_mtime_ns


def identity(file: Path) -> tuple[int, int] | None:
    """Device and inode of the file that has this name now; None if there is none."""
    try:
        now = file.stat()
    except FileNotFoundError:
        return None
    return now.st_dev, now.st_ino


def is_damaged(error: BaseException | None) -> bool:
    """Whether the error means that the file is corrupt. SQLite's message may quote content that is not UTF-8, which
    then fails to decode."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT or "decode to UTF-8" in str(error)
    return isinstance(error, UnicodeDecodeError)


def is_failing(error: BaseException | None) -> bool:
    """Whether the disk is full or broken, which is no mistake in the user's input (contract 1: exit code 1, not 2)."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in FAILS
    return isinstance(error, OSError) and error.errno in NO_ROOM
