"""Overloaded servers that go silent: they refuse everything with 503, or answer too late, and then answer nothing at
all."""

from __future__ import annotations

from collections.abc import Set

from sipaudit.incidents.draft import let_go
from sipaudit.incidents.failing import InVain
from sipaudit.model.events import Answered
from sipaudit.model.reach import LONG_AGO

SEVERAL = 2   # phones: a single one may have a path of its own that fails


class Hush:
    """What one outage shows of a server that goes silent (times in seconds since the epoch). `spoke`: when the last
    request was sent that was refused, or answered too late; `unanswered`: by phone, the first unanswered request since.
    `late`: send time and answer time of the last request that was answered too late: that ends the outage, unless it
    continues afterwards."""

    __slots__ = ("late", "spoke", "unanswered")

    def __init__(self) -> None:
        self.spoke = LONG_AGO
        self.late: tuple[float, float] | None = None
        self.unanswered: dict[int, float] = {}

    def vain(self, vain: InVain) -> None:
        """A request of a phone failed."""
        if self.late is not None and vain.sent > self.late[1]:
            self._speaks(self.late[0])
            self.late = None
        if isinstance(vain.event, Answered):
            self._speaks(vain.sent)
        elif vain.sent > self.spoke:
            self.unanswered[vain.phone] = min(vain.sent, self.unanswered.get(vain.phone, vain.sent))

    def answers_late(self, sent: float, time: float) -> None:
        """A request sent at `sent` was answered too late, at `time`."""
        if self.late is None or sent > self.late[0]:
            self.late = sent, time

    def _speaks(self, sent: float) -> None:
        if sent > self.spoke:
            self.spoke = sent
            self.unanswered = {phone: first for phone, first in self.unanswered.items() if first > sent}

    @property
    def since(self) -> float | None:
        """Since when the server has answered nothing at all, if it refused or answered late at first; otherwise
        None."""
        return min(self.unanswered.values()) if len(self.unanswered) >= SEVERAL and self.spoke > LONG_AGO else None

    def release(self, phones: Set[int]) -> None:
        """Forget these phones."""
        let_go(phones, self.unanswered)
