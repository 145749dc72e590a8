"""Servers that refuse everything with 503, and then say nothing any more: overloaded, and then gone."""

from __future__ import annotations

from collections.abc import Set

from sipaudit.incidents.draft import let_go
from sipaudit.incidents.failing import InVain
from sipaudit.model.events import Answered
from sipaudit.model.reach import LONG_AGO

SEVERAL = 2   # phones: one may have a path of its own that fails


class Hush:
    """What one outage shows of that: `refused` when a request was last sent that it refused, `unanswered` by phone the
    first one since that it did not even refuse (seconds since the epoch)."""

    __slots__ = ("refused", "unanswered")

    def __init__(self) -> None:
        self.refused = LONG_AGO
        self.unanswered: dict[int, float] = {}

    def vain(self, vain: InVain) -> None:
        """A phone asks in vain."""
        if isinstance(vain.event, Answered):
            self.refused = max(vain.sent, self.refused)
            self.unanswered = {phone: sent for phone, sent in self.unanswered.items() if sent > self.refused}
        elif vain.sent > self.refused > LONG_AGO:
            self.unanswered[vain.phone] = min(vain.sent, self.unanswered.get(vain.phone, vain.sent))

    @property
    def since(self) -> float | None:
        """Since when nothing is refused any more, nor answered."""
        return min(self.unanswered.values()) if len(self.unanswered) >= SEVERAL else None

    def release(self, phones: Set[int]) -> None:
        """These phones were forgotten."""
        let_go(phones, self.unanswered)
