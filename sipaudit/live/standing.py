"""The current state, as the sayings give it: the servers that lines work with, the open incidents, the health."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import TypeVar

from sipaudit.model.captures import CaptureSummary, ServerSummary
from sipaudit.model.sayings import (
    CaptureSaid,
    Health,
    HealthSaid,
    IncidentSaid,
    LineForgotten,
    LineSaid,
    Saying,
    ServerSaid,
    Withdrawn,
)
from sipaudit.model.values import Incident, LineSummary
from sipaudit.report.names import short_names
from sipaudit.report.screen import brief
from sipaudit.turned_away import forget_oldest, has_room

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

LINES = 100_000
SERVERS = 1_000
CAPTURES = 64
OPEN = 2_000


class WorkingLines:
    """Counts, by server, the lines that work with it.

    A line is (AOR, phone). Beyond `limit` lines, new ones are not stored, only counted (`untold`): real phones come
    first, and a flood of invented ones must not evict them. A line that works with no server is not stored.
    """

    def __init__(self, limit: int = LINES) -> None:
        self.by_server: Counter[str] = Counter()   # a server without lines any more stays, at 0
        self.untold = 0
        self._limit = limit
        self._server: dict[tuple[str, str], str] = {}

    def take(self, line: LineSummary) -> None:
        key = (line.line, line.phone)
        self.forget(*key)
        if line.working is None:
            return
        if not has_room(self._server, self._limit, "shown"):
            self.untold += 1
            return
        self._server[key] = line.working
        self.by_server[line.working] += 1
        if len(self.by_server) > SERVERS:
            self.by_server = +self.by_server

    def forget(self, line: str, phone: str) -> None:
        """The line works with no known server any more."""
        before = self._server.pop((line, phone), None)
        if before is not None:
            self.by_server[before] -= 1

    def __len__(self) -> int:
        return len(self._server)


class Standing:
    """Servers, lines by server, open incidents, captures and health, as last said; all bounded."""

    def __init__(self) -> None:
        self.servers: dict[str, ServerSummary] = {}
        self.lines = WorkingLines()
        self.open: dict[str, Incident] = {}
        self.captures: dict[str, CaptureSummary] = {}
        self.health: Health | None = None
        self._names: dict[str, str] | None = {}

    @property
    def names(self) -> dict[str, str]:
        """The shortest unambiguous name of each server."""
        if self._names is None:
            self._names = short_names(self.servers.values())
        return self._names

    def name(self, server: str) -> str:
        """The short name of a server, for where there is little room."""
        return self.names.get(server) or brief(server)

    def take(self, saying: Saying) -> None:
        match saying:
            case LineSaid(line=line):
                self.lines.take(line)
            case LineForgotten(line=name, phone=phone):
                self.lines.forget(name, phone)
            case HealthSaid(health=health):
                self.health = health
            case IncidentSaid(incident=incident):
                self._incident(incident)
            case Withdrawn(id=name):
                self.open.pop(name, None)
            case ServerSaid(server=server):
                keep(self.servers, server.server, server, SERVERS)
                self._names = None
            case CaptureSaid(capture=capture):
                keep(self.captures, capture.path, capture, CAPTURES)
            case _:
                pass

    def _incident(self, incident: Incident) -> None:
        if incident.state == "closed":
            self.open.pop(incident.id, None)
        else:
            self.open[incident.id] = incident
            forget_oldest(self.open, OPEN, "shown")


def keep(kept: dict[K, T], name: K, value: T, limit: int) -> None:
    """Store a value in a table of at most `limit` entries; when it is full, new names are turned away."""
    if name in kept or has_room(kept, limit, "shown"):
        kept[name] = value
