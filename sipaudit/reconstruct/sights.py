"""The line that was last seen at a source with an AOR's user: a shortcut, good while all else is as it was."""

from __future__ import annotations

from sipaudit.reconstruct.phones import Line


class Sights:
    """By source (`host:port`) its one line, as most have, or its lines by user."""

    __slots__ = ("_count", "_of")

    def __init__(self) -> None:
        self._of: dict[str, Line | dict[str, Line]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, source: str, user: str | None) -> Line | None:
        """The line, None if it has to be looked for."""
        found = self._of.get(source)
        if found is None:
            return None
        if type(found) is Line:
            return found if found.user == (user or "") else None
        return found.get(user or "")

    def see(self, source: str, user: str | None, line: Line) -> None:
        """It is this one."""
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
        """Look for all."""
        self._of.clear()
        self._count = 0

    def drop_blank(self) -> None:
        """Forget those of lines that are held back, or forgotten."""
        seen = [(source, user, line) for source, known in self._of.items()
                for user, line in (known.items() if isinstance(known, dict) else [(known.user, known)])]
        self.clear()
        for source, user, line in seen:
            if line.held is None:
                self.see(source, user, line)
