"""Collects everything that is wrong with one file before anything is reported."""

from __future__ import annotations

from typing import NoReturn

from sipaudit.errors import InputError, InputErrors

MOST = 100  # enough to fix at one go; a hostile file could have a million


class Problems:
    """Collects the input errors of `file`; `raise_any` raises them together, in line order."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self._errors: list[InputError] = []

    def add(self, line: int | None, message: str, fix: str) -> None:
        """Add an error; if there are MOST already, raise them and stop reading."""
        if len(self._errors) == MOST:
            self.stop(line, "more errors follow and are not listed", f"mend the first {MOST}, then check again")
        self._errors.append(InputError(message, fix=fix, file=self.file, line=line))

    def stop(self, line: int | None, message: str, fix: str) -> NoReturn:
        """Raise at once, together with the errors so far: the rest of the file is not read."""
        raise InputErrors([*self._in_order(), InputError(message, fix=fix, file=self.file, line=line)])

    def raise_any(self) -> None:
        if self._errors:
            raise InputErrors(self._in_order())

    def _in_order(self) -> list[InputError]:
        return sorted(self._errors, key=lambda error: error.line or 0)
