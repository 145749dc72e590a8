"""Room in a table that must be scanned whole to find its unused items."""

from __future__ import annotations

from collections.abc import Callable

from sipaudit.reconstruct.bounds import SHED


class Room:
    """Room for at most `limit` items. `evicted` counts the items shed for others and those turned away.

    If a scan sheds little, the next is delayed until a number of newcomers (an eighth of the limit) was turned away.
    """

    __slots__ = ("_patience", "evicted", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.evicted = 0
        self._patience = 0

    def admits(self, size: int, shed: Callable[[], int]) -> bool:
        """Whether a table of this size has room for one more; `shed` drops unused items and returns how many."""
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
