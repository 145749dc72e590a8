"""Servers that refuse everything with 503, or answer too late, and then say nothing any more: overloaded, and gone."""

from __future__ import annotations

from collections.abc import Set

from sipaudit.incidents.draft import let_go
from sipaudit.incidents.failing import InVain
from sipaudit.model.events import Answered
from sipaudit.model.reach import LONG_AGO

SEVERAL = 2   # phones: one may have a path of its own that fails


class Hush:
    """What one outage shows of that: `spoke` when a request was last sent that it refused, or answered too late,
    `unanswered` by phone the first one since of which nothing is heard (seconds since the epoch). `late` is when the
    last one was sent that it answered too late, and when it did: that is how it ends, unless it goes on after that."""

    __slots__ = ("late", "spoke", "unanswered")

    def __init__(self) -> None:
        self.spoke = LONG_AGO
        self.late: tuple[float, float] | None = None
        self.unanswered: dict[int, float] = {}

    def vain(self, vain: InVain) -> None:
        """A phone asks in vain."""
        if self.late is not None and vain.sent > self.late[1]:
            self._speaks(self.late[0])
            self.late = None
        if isinstance(vain.event, Answered):
            self._speaks(vain.sent)
        elif vain.sent > self.spoke:
            self.unanswered[vain.phone] = min(vain.sent, self.unanswered.get(vain.phone, vain.sent))

    def answers_late(self, sent: float, time: float) -> None:
        """What was sent then is answered too late."""
        if self.late is None or sent > self.late[0]:
            self.late = sent, time

    def _speaks(self, sent: float) -> None:
        if sent > self.spoke:
            self.spoke = sent
            self.unanswered = {phone: first for phone, first in self.unanswered.items() if first > sent}

    @property
    def since(self) -> float | None:
        """Since when nothing is heard of it any more, where it spoke at first."""
        return min(self.unanswered.values()) if len(self.unanswered) >= SEVERAL and self.spoke > LONG_AGO else None

    def release(self, phones: Set[int]) -> None:
        """These phones were forgotten."""
        let_go(phones, self.unanswered)
