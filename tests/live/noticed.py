"""Sayings over time, and the notices made from them."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from sipaudit.live.notices import Notice, Notices
from sipaudit.model.sayings import Saying
from sipaudit.model.values import Severity
from tests.live import said


class Notified:
    """Takes sayings while the test moves the time, and collects the notices."""

    def __init__(self, least: Severity = Severity.WARNING) -> None:
        self.notices = Notices(least, UTC, said.NOW)
        self.now = said.NOW
        self.told: list[Notice] = []

    def say(self, *sayings: Saying) -> None:
        for saying in sayings:
            self.notices.take(saying)

    def wait(self, seconds: float) -> list[Notice]:
        """Let so many seconds pass; return the notices of that time."""
        before, end = len(self.told), self.now + seconds
        while self.now <= end:
            self.told += self.notices.turn(self.now)
            self.now += 1
        return self.told[before:]


def outage(lines: int = 1, findings: int = 0, **changed: Any) -> Saying:
    """Incident i-0001 with so many lines and findings."""
    return said.incident(lines=[said.AOR.format(1000 + n) for n in range(lines)],
                         findings=[f"f-{n:06d}" for n in range(findings)], **changed)
