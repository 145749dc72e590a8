"""The one error that a user can cause and a user can mend."""

from __future__ import annotations


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

    def __str__(self) -> str:
        where = "" if self.file is None else self.file + ("" if self.line is None else f":{self.line}") + ": "
        return f"{where}{self.message}" + (f" ({self.fix})" if self.fix else "")


class InputErrors(InputError):
    """Several input errors found in one pass (a site file is checked whole); `fix`, `file`, `line` are the first's."""

    def __init__(self, errors: list[InputError]) -> None:
        first = errors[0]
        super().__init__("; ".join(map(str, errors)), fix=first.fix, file=first.file, line=first.line)
        self.errors = errors

    def __str__(self) -> str:
        return self.message
