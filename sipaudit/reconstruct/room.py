"""Room in a table that has to be searched whole for what nobody uses any more."""

from __future__ import annotations

from collections.abc import Callable

from sipaudit.reconstruct.bounds import SHED


class Room:
    """Room for at most `limit` things. `evicted` counts what was shed for others, and what was turned away.

    A table that sheds little is not looked through for each newcomer: an eighth of it is turned away first.
    """

    __slots__ = ("_patience", "evicted", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.evicted = 0
        self._patience = 0

    def admits(self, size: int, shed: Callable[[], int]) -> bool:
        """Whether a table of this size has room for one more; `shed` forgets what nobody uses and says how much."""
        if size < self.limit:
            return True
        if self._patience:
            self._patience -= 1
            self.evicted += 1
            return False
        gone = shed()
        few = self.limit // SHED
        self._patience = 0 if gone > few else few
        self.evicted += max(gone, 1)
        return gone > size - self.limit
