"""Entries whose lines began below the head of the list: the list may be in the wrong order."""

from __future__ import annotations

from collections.abc import Iterator

from sipaudit.model.captures import ServerSummary
from sipaudit.model.values import LineSummary, Report
from sipaudit.report.names import short_names


def began_below(report: Report) -> Iterator[str]:
    """A sentence for each entry none of whose lines began with the first server of the list: the list may be in the
    wrong order, and the verdicts on these lines rest on it."""
    listed = {row.server: row for row in report.servers if row.priority is not None}
    began: dict[str, list[str]] = {}
    heads: dict[str | None, ServerSummary] = {}
    for row in sorted(listed.values(), key=lambda row: row.priority or 0):
        heads.setdefault(row.entry, row)
    for line in report.lines:
        server, when = _began_at(line)
        if line.entry is not None and server in listed and listed[server].entry == line.entry \
                and not _was_out(report, heads[line.entry].server, when):
            began.setdefault(line.entry, []).append(server)
    names = short_names(report.servers)
    for entry, servers in began.items():
        head = heads[entry]
        if all(listed[server].priority != head.priority for server in servers):
            first, at = names[head.server], " or ".join(names[server] for server in dict.fromkeys(servers))
            who = "the one line that registered" if len(servers) == 1 else f"all {len(servers)} lines that registered"
            yield (f"Entry {entry}: {who} did so first with {at}, not with {first}, which heads the list. Unless "
                   f"{first} was out when the capture began, the phones have another order than the list (site file or "
                   "DNS), and what is said of them may be wrong.")


def _was_out(report: Report, server: str, when: float) -> bool:
    """Whether the report has an outage of the server at `when`."""
    return any(one.kind == "server-outage" and one.server == server and one.start <= when
               and (one.end is None or when <= one.end) for one in report.incidents)


def _began_at(line: LineSummary) -> tuple[str | None, float]:
    """The server that a line first left or registered with, whichever was earlier, and when; None without either."""
    registered = min(line.registrations, key=lambda stay: stay.from_, default=None)
    moved = min(line.moves, key=lambda move: move.time, default=None)
    if moved is not None and moved.from_ and (registered is None or moved.time <= registered.from_):
        return moved.from_, moved.time
    return (None, 0.0) if registered is None else (registered.server, registered.from_)
