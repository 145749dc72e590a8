"""Names of servers, in full or as short as is unique, and of lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from sipaudit.model.captures import ServerSummary
from sipaudit.model.values import Report
from sipaudit.report.screen import brief


def name_of(server: str | None, report: Report) -> str | None:
    """The host name of a server in the report; None if it has none."""
    return next((row.name for row in report.servers if row.server == server), None)


def site_names(report: Report) -> dict[tuple[str | None, str | None], str]:
    """By line and phone, the label and group that the site file gives them: `Reception, Head office`."""
    named = {(line.line, line.phone): ", ".join(filter(None, (line.label, line.group))) for line in report.lines}
    return {whose: name for whose, name in named.items() if name}


def short_names(servers: Iterable[ServerSummary]) -> dict[str, str]:
    """By server, the first label of its host name if that is unique and no number, otherwise the name if that is
    unique, otherwise address and port."""
    servers = list(servers)
    labels = Counter(server.name.partition(".")[0] for server in servers if server.name)
    names = Counter(server.name for server in servers)
    short = {}
    for server in servers:
        label = (server.name or "").partition(".")[0]
        unique = server.name is not None and names[server.name] == 1
        short[server.server] = label if unique and labels[label] == 1 and not label.isdigit() else \
            server.name if unique and server.name else brief(server.server)
    return short
