"""Claiming the checkpoint file: no other process uses it meanwhile, and no unrelated file is overwritten."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sipaudit.errors import InputError


def claimed(path: Path) -> int:
    """Lock the file; returns the lock's descriptor. The lock ends with this process, even while forked copies live on.
    Raises InputError where another process holds it, or it cannot be made."""
    try:
        lock = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _cannot_be_written(path) from error
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):   # fcntl(2) allows either
        os.close(lock)
        raise InputError("another sipaudit keeps its checkpoint there", fix="end it, or name another file",
                         file=str(path)) from None
    except OSError:   # a file system without locks
        pass
    return lock


def check_that_it_may_be_replaced(path: Path, begins: bytes) -> None:
    """Refuse to replace a file that is no checkpoint, named by mistake: a checkpoint starts with the bytes `begins`.
    Raises InputError, also where no file can be made."""
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise _cannot_be_written(path)
    if not path.exists():
        return
    if not path.is_file():
        raise InputError("is no file", fix="name a file for the checkpoint", file=str(path))
    if not os.access(path, os.R_OK):
        return      # reported when it is read
    with path.open("rb") as file:
        beginning = file.read(len(begins))
    if beginning.strip(b"\0") and beginning != begins:     # power loss may leave one of ours all zeros
        raise InputError("is no checkpoint, and would be replaced by one", fix="name a file that is not there yet",
                         file=str(path))


def _cannot_be_written(path: Path) -> InputError:
    return InputError("no checkpoint can be written there", fix="name a file in a directory that may be written",
                      file=str(path))
