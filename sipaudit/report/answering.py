"""Servers that served nobody and for which there is no incident: an outage that began before the capture looks like
that, and so does a capture that lacks what servers send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sipaudit.model.captures import ServerMinute
from sipaudit.model.values import Report
from sipaudit.report.advice import CAPTURING
from sipaudit.report.names import short_names
from sipaudit.report.screen import count_of, shortened

NAMED = 3             # servers that a sentence names
NAME_SHOWN = 40
REFUSALS_TOLD = 5     # least final answers; fewer may be from one busy call
REFUSED = {"4xx", "5xx", "6xx"}
OPENING = {"REGISTER", "INVITE"}


class Served:
    """The requests to one server and its answers, over all minutes of a report."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.ran_out = 0

    def add(self, minute: ServerMinute) -> None:
        self.requests.update(minute.requests)
        self.answers.update(minute.answers)
        self.ran_out += minute.unanswered

    @property
    def silent(self) -> bool:
        return self.ran_out > 0 and not self.answers

    @property
    def refusing(self) -> bool:
        """Whether it sent at least REFUSALS_TOLD final answers, all of them refusals (4xx to 6xx). A server that got
        only keepalives, neither REGISTER nor INVITE, does not count."""
        final = {status: count for status, count in self.answers.items() if status != "1xx"}
        return sum(final.values()) >= REFUSALS_TOLD and final.keys() <= REFUSED \
            and not OPENING.isdisjoint(self.requests)


def served(report: Report) -> dict[str, Served]:
    """The sums of each server, in the order in which servers first appear."""
    found: dict[str, Served] = {}
    for minute in report.minutes:
        found.setdefault(minute.server, Served()).add(minute)
    return found


def unserved(report: Report) -> Iterator[str]:
    """Sentences on servers that answered nothing, or granted nothing, and have no incident. If no server at all was
    seen answering, whether there was an outage cannot be told."""
    told = {incident.server for incident in report.incidents}
    everyone = served(report)
    servers = {server: one for server, one in everyone.items() if server not in told}
    silent = {server: one for server, one in servers.items() if one.silent}
    refusing = {server: one for server, one in servers.items() if one.refusing}
    if silent and len(silent) == len(everyone):
        yield (f"Whether there was an outage cannot be told: {_requests(silent)} to {_names(report, silent)}, and not "
               "one answer. Either all servers were silent before the capture began, or it lacks what they send, see "
               f"{CAPTURING}.")
    elif silent:
        yield (f"{_names(report, silent)} answered none of {_requests(silent)}: away since before the capture "
               "began, or what it sends is not captured.")
    if refusing:
        answers = sum((one.answers for one in refusing.values()), Counter[str]())
        said = ", ".join(f"{answers[status]} {status}" for status in sorted(answers) if status != "1xx")
        yield f"{_names(report, refusing)} granted nothing of what was asked: {_requests(refusing)}, answers {said}."


def _requests(servers: dict[str, Served]) -> str:
    return count_of(sum(one.requests.total() for one in servers.values()), "request")


def _names(report: Report, servers: dict[str, Served]) -> str:
    names = short_names(report.servers)
    said = ", ".join(shortened(names.get(server, server), NAME_SHOWN) for server in list(servers)[:NAMED])
    return f"{said} and {len(servers) - NAMED} more" if len(servers) > NAMED else said
