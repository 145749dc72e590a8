"""Everything that is wrong with one file, gathered before anything is said."""

from __future__ import annotations

from typing import NoReturn

from sipaudit.errors import InputError, InputErrors

MOST = 100  # a reader mends the first few; a hostile file could hold a million


class Problems:
    """Collects the input errors of `file`; `raise_any` raises them together, in line order."""

    def __init__(self, file: str | None) -> None:
        self.file = file
        self._errors: list[InputError] = []
        self._more = 0

    def add(self, line: int | None, message: str, fix: str) -> None:
        if len(self._errors) < MOST:
            self._errors.append(InputError(message, fix=fix, file=self.file, line=line))
        else:
            self._more += 1

    def stop(self, line: int | None, message: str, fix: str) -> NoReturn:
        """Raise at once, with what was gathered so far: the rest of the file cannot be read."""
        raise InputErrors([*self._in_order(), InputError(message, fix=fix, file=self.file, line=line)])

    def raise_any(self) -> None:
        if not self._errors:
            return
        errors = self._in_order()
        if self._more:
            message = f"{self._more} more errors are not listed"
            errors.append(InputError(message, fix="mend these first", file=self.file))
        raise InputErrors(errors)

    def _in_order(self) -> list[InputError]:
        return sorted(self._errors, key=lambda error: error.line or 0)
