"""Files opened for reading: what cannot be opened is an error that says what it was for."""

from __future__ import annotations

from pathlib import Path

from sipaudit.errors import InputError
from sipaudit.yamlfile.tree import MAX_BYTES


def read_bytes(path: Path, what: str, fix: str = "check its name") -> bytes:
    """The content of a file, no more of it than `read_tree` needs to refuse it. Raises InputError."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        if isinstance(error, PermissionError):   # to `live`, which has become another user, also when it reads it again
            fix = "let the user read it as whom this runs"
        raise InputError(f"{what} cannot be read: {reason}", fix=fix, file=str(path)) from None
