"""The one error class for problems that a user causes and can fix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

PERMIT = "give the user who runs sipaudit the permission to read it"   # the fix for a file without read permission


class InputError(Exception):
    """Something that the user named cannot be used as it is.

    `message` says what is wrong, `fix` what to do about it, `file` and `line`
    (1-based) where it is.  The command line prints it on one line and exits with 2.
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
        """The single errors: this one, or those that it combines."""
        return [self]

    def __str__(self) -> str:
        where = "" if self.file is None else self.file + ("" if self.line is None else f":{self.line}") + ": "
        return f"{where}{self.message}" + (f" ({self.fix})" if self.fix else "")


class InputErrors(InputError):
    """Several input errors found in one pass (a site file is checked completely); `fix`, `file` and `line` are those of
    the first, and so is `message` if there is only one."""

    def __init__(self, errors: list[InputError]) -> None:
        first = errors[0]
        message = first.message if len(errors) == 1 else "; ".join(map(str, errors))
        super().__init__(message, fix=first.fix, file=first.file, line=first.line)
        self._several = errors

    @property
    def errors(self) -> list[InputError]:
        return self._several

    def __str__(self) -> str:
        return "; ".join(map(str, self._several))


def unreadable(error: OSError, file: object, fix: str, what: str = "") -> InputError:
    """The InputError for a file that cannot be read; `what` describes the file, `fix` is the remedy unless the read
    permission is missing."""
    reason = (error.strerror or "unreadable").lower()
    return InputError(f"{what} cannot be read: {reason}".lstrip(), file=str(file),
                      fix=PERMIT if isinstance(error, PermissionError) else fix)


@contextmanager
def collecting(errors: list[InputError]) -> Iterator[None]:
    """Collect the input errors raised inside the block in `errors`, so that the caller can go on."""
    try:
        yield
    except InputError as error:
        errors += error.errors


def raise_together(errors: list[InputError]) -> None:
    """Raise InputErrors if there are any errors."""
    if errors:
        raise InputErrors(errors)
