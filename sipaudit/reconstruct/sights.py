"""The line last seen at a source with an AOR's user: a shortcut, valid as long as nothing else has changed."""

from __future__ import annotations

from sipaudit.reconstruct.phones import Line


class Sights:
    """By source (`host:port`): its only line, as in most cases, or its lines by user."""

    __slots__ = ("_count", "_of")

    def __init__(self) -> None:
        self._of: dict[str, Line | dict[str, Line]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, source: str, user: str | None) -> Line | None:
        """The line; None if it must be searched."""
        found = self._of.get(source)
        if found is None:
            return None
        if type(found) is Line:
            return found if found.user == (user or "") else None
        return found.get(user or "")

    def see(self, source: str, user: str | None, line: Line) -> None:
        """Store the line."""
        known, user = self._of.get(source), user or ""
        if isinstance(known, dict):
            self._count += user not in known
            known[user] = line
        elif known is None or known.user == user:
            self._count += known is None
            self._of[source] = line
        else:
            self._count += 1
            self._of[source] = {known.user: known, user: line}

    def clear(self) -> None:
        """Forget all shortcuts."""
        self._of.clear()
        self._count = 0

    def drop_blank(self) -> None:
        """Forget the shortcuts to lines that are held back or forgotten."""
        seen = [(source, user, line) for source, known in self._of.items()
                for user, line in (known.items() if isinstance(known, dict) else [(known.user, known)])]
        self.clear()
        for source, user, line in seen:
            if line.held is None:
                self.see(source, user, line)
