"""The one error that a user can cause and a user can mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

PERMIT = "give the user who runs sipaudit the permission to read it"   # what to do about a file that is closed to us


class InputError(Exception):
    """Something the user named cannot be used as it is.

    `message` says what is wrong, `fix` what to do about it, `file` and `line`
    (1-based) where.  The command line prints it on one line and exits with 2.
    """

    def __init__(
        self, message: str, *, fix: str | None = None, file: str | None = None, line: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.file = file
        self.line = line

    @property
    def errors(self) -> list[InputError]:
        """Each thing that is wrong."""
        return [self]

    def __str__(self) -> str:
        where = "" if self.file is None else self.file + ("" if self.line is None else f":{self.line}") + ": "
        return f"{where}{self.message}" + (f" ({self.fix})" if self.fix else "")


class InputErrors(InputError):
    """Several input errors found in one pass (a site file is checked whole); `fix`, `file`, `line` are the first's."""

    def __init__(self, errors: list[InputError]) -> None:
        first = errors[0]
        super().__init__("; ".join(map(str, errors)), fix=first.fix, file=first.file, line=first.line)
        self._several = errors

    @property
    def errors(self) -> list[InputError]:
        return self._several

    def __str__(self) -> str:
        return self.message


def unreadable(error: OSError, file: object, fix: str, what: str = "") -> InputError:
    """That a file, which is `what`, cannot be read; `fix` says what to do about it where the file is not closed to us.
    """
    reason = (error.strerror or "unreadable").lower()
    return InputError(f"{what} cannot be read: {reason}".lstrip(), file=str(file),
                      fix=PERMIT if isinstance(error, PermissionError) else fix)


@contextmanager
def collecting(errors: list[InputError]) -> Iterator[None]:
    """Keeps the input errors of what runs inside, so that the next thing is read all the same."""
    try:
        yield
    except InputError as error:
        errors += error.errors


def raise_together(errors: list[InputError]) -> None:
    """Raises InputErrors where anything is wrong."""
    if errors:
        raise InputErrors(errors)
