"""Warnings and notes about a report's limits: declarations that match nothing in the captures (mostly a mistake in an
address or a name), what the captures lack, and from when on the report counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sipaudit.model.captures import ServerSummary
from sipaudit.model.values import LineSummary
from sipaudit.reconstruct.phones import Line
from sipaudit.reconstruct.traffic import Traffic
from sipaudit.report.screen import count_of
from sipaudit.settings.declaring import Declarations
from sipaudit.settings.site import Site
from sipaudit.times import Span

SHOWN = 3   # servers or lines named
COUNTS_AS_NO_MOVE = ("which no entry lists: what they do there counts as no move. If it is a server of {entry}, "
                     "correct its address there.")


def unheard(declared: Declarations, lines: Sequence[Line], report: Sequence[LineSummary],
            servers: Sequence[ServerSummary]) -> Iterator[str]:
    """Warnings for stderr. More may be declared than a capture shows; the problem is a declaration that matches
    nothing."""
    if declared.provisioned and report and not any(declared.provisions(line.identity) for line in lines):
        known = ", ".join(f"{line.line} of phone {line.mac or line.phone}" for line in report[:SHOWN])
        yield f"the provisioning files say nothing of any line of the captures, such as {known}"
    yield from _site_unheard(declared, lines, report, servers)


def unanswered(lines: Sequence[LineSummary], traffic: Iterable[Traffic]) -> Iterator[str]:
    """A note if no phone is known and the captures hold requests but no answers: that may be the reason."""
    asked, answers = 0, 0
    for one in traffic:
        asked += sum(count for method, count in one.methods.items() if method != "ACK")
        answers += sum(one.statuses.values())
    if asked and not lines and not answers:
        told = ("The one request in the captures has no answer" if asked == 1 else
                f"Not one of {asked} requests in the captures has an answer")
        yield (f"{told}: either the servers were silent before they begin, or they lack what servers send. Declare "
               "the phones by their addresses (lines: in the site file) to see what they did.")


def outside(lines: Sequence[LineSummary], servers: Sequence[ServerSummary]) -> Iterator[str]:
    """Notes on lines that registered at servers that no entry lists. Going there counts as no move, so that the lines
    seem to have stayed where they were: mostly a mistake in the address of the second server."""
    listed = {server.server for server in servers if server.entry is not None}
    by_entry: dict[str, dict[str, int]] = {}
    for line in lines:
        if line.entry is not None:
            found = by_entry.setdefault(line.entry, {})
            for server in {stay.server for stay in line.registrations} - listed:
                found[server] = found.get(server, 0) + 1
    for entry, found in sorted(by_entry.items()):
        for server in sorted(found)[:SHOWN]:
            yield (f"{count_of(found[server], 'line')} of {entry} registered at {server}, "
                   f"{COUNTS_AS_NO_MOVE.format(entry=entry)}")


def begins_later(span: Span, first: float) -> Iterator[str]:
    """A note if the report covers only a part of the captures, whose first packet is at `first`: some counts are of the
    whole captures, and some lines are missing."""
    if span.start > first:
        yield ("What is reported begins after the captures do (--from): packets, SIP messages and servers are counted "
               "from their beginning, and lines of which nothing is seen from then on are left out.")


def _site_unheard(declared: Declarations, lines: Iterable[Line], report: Sequence[LineSummary],
                  servers: Sequence[ServerSummary]) -> Iterator[str]:
    site = declared.site
    if site.path is None or not report or (not site.lines and (declared.provisioned or _is_of_events(site))):
        return
    if not any(site.finder.first(line.identity) is not None for line in lines):
        known = ", ".join(f"{line.line} at {line.phone}" for line in report[:SHOWN])
        what = "none of its lines: matches" if site.lines else "it has no lines:, so nothing is declared of"
        yield f"{site.path}: {what} a line of the captures, such as {known}"
        return
    present = {server.server.rpartition("/")[0] for server in servers}
    seen = {name for name, entry in site.entries.items() if any(server.key in present for server in entry.servers)}
    seen |= {server.entry for server in servers if server.entry is not None}
    used = ", ".join(server.server for server in servers if server.entry is None) or "none"
    for name in dict.fromkeys(line.entry for line in report if not seen.intersection(line.entries)):
        if name is not None and name in site.entries:
            nameless = any(server.address is None for server in site.entries[name].servers)
            why = ", and no DNS answer for their names" if nameless else ""
            yield f"{site.path}: entries.{name}: none of its servers is in the captures{why}; they have {used}"
    yield from _otherwise_declared(site, lines)


def _otherwise_declared(site: Site, lines: Iterable[Line]) -> Iterator[str]:
    """Warnings about servers that no line uses with the declared port and transport: they are matched by address, and
    the report names them as declared."""
    used: dict[str, set[tuple[int, str]]] = {}
    for line in lines:
        for key, flow in line.routes:
            used.setdefault(key, set()).add((flow.destination_port, flow.transport))
    off = [(name, server, used[server.key]) for name, entry in site.entries.items() for server in entry.servers
           if server.key in used and (server.port, server.transport) not in used[server.key]]
    for name, server, ways in off[:SHOWN]:
        seen = ", ".join(f"{port}/{transport}" for port, transport in sorted(ways))
        yield (f"{site.path}: entries.{name}: {server.address} is declared at {server.port}/{server.transport}, but "
               f"asked at {seen}; the report names it as declared")


def _is_of_events(site: Site) -> bool:
    """Whether the site file only declares other things than phones and servers."""
    return not site.entries and bool(site.events or site.states_emergency or site.stated_tolerances)
