"""Tools for stories about incidents: several phones of one site in one story, and its incidents as lines of text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sipaudit.capture.write import Endpoint
from sipaudit.model.values import Incident, Report
from tests.stories import CHALLENGE, GIVES_UP, MINUTE, R2, RETRANSMITTED, Court, Handset, P, S, Settings, Story, site
from tests.wire import ORIGIN


def fleet(story: Story, count: int, first: int = 1001, **more: Any) -> list[Handset]:
    """`count` phones with one line each."""
    users = range(first, first + count)
    return [Handset(story, str(user), (f"10.1.{user // 250}.{user % 250}", 5060), **more) for user in users]


def registered(story: Story, count: int, server: Endpoint = P, apart: float = 2.0, **more: Any) -> list[Handset]:
    """A fleet whose phones register one after the other."""
    phones = fleet(story, count, **more)
    for index, phone in enumerate(phones):
        phone.register(index * apart, server)
    return phones


class Tower:
    """Looks at stories and reports their incidents."""

    def __init__(self, folder: Path) -> None:
        self._court = Court(folder)
        self.report: Report

    def see(self, story: Story, settings: Settings | None = None, *servers: Endpoint, rules: Iterable[str] = (),
            events: Iterable[str] = (), only: str = "", **more: Any) -> list[str]:
        """Lines like `server-outage 10.0.0.1 300.000-421.000 2`: kind, server or entry, span, number of lines; for all
        incidents, or those of one kind (`only`)."""
        job = {name: more.pop(name) for name in ("start", "end") if name in more}
        declared = site({**R2, **MINUTE} if settings is None else settings, *(servers or (P, S)), **more)
        self.report = self._court.report(story, declared, covered=1.0, rules=tuple(rules), events=tuple(events), **job)
        return [told(incident) for incident in self.report.incidents if only in ("", incident.kind)]

    def of(self, kind: str) -> Incident:
        """The only incident of a kind."""
        (found,) = [incident for incident in self.report.incidents if incident.kind == kind]
        return found


def told(incident: Incident) -> str:
    where = incident.entry if incident.server is None else incident.server.rpartition(":")[0]
    end = "" if incident.end is None else f"{incident.end - ORIGIN:.3f}"
    return f"{incident.kind} {where} {incident.start - ORIGIN:.3f}-{end} {len(incident.lines)}"


def end(story: Story, time: float) -> None:
    """The capture goes on until then, and shows that nothing more happened."""
    story.murmur(time - 2, time)


def gives_up(story: Story, phone: Handset, time: float, late: float | None, *, calls: bool = False) -> None:
    """The phone has moved to S before P answers, `late` seconds after the request, or never."""
    asked = phone.ask(time, P, "INVITE" if calls else "REGISTER", expires=None if calls else 3600)
    for after in RETRANSMITTED[1:]:
        phone.again(time + after, asked)
    phone.register(time + GIVES_UP, S)
    if late is not None:
        phone.told(time + late, asked, 486 if calls else 401, headers="" if calls else CHALLENGE)


def outages(tower: Tower, story: Story, settings: Settings) -> list[str]:
    end(story, 1700)
    return [line for line in tower.see(story, {**settings, **MINUTE}) if "outage" in line]
