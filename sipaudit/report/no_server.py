"""Times at which no server of an entry was left, which points to a failure of something that they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import reduce
from math import inf
from operator import and_

from sipaudit.incidents.chronicle import UNSEEN
from sipaudit.incidents.course import BY_TURNS, OTHER_PHONES, OTHER_REQUESTS
from sipaudit.incidents.outage import OUTAGE
from sipaudit.model.timers import SILENCE_MAX
from sipaudit.model.values import Incident, Report
from sipaudit.report.manners import tells

NEARLY_ALL = 0.9   # least share of an outage's lines that the outages of the other servers reached, too

# The entry without a server, for how many lines if only for some (None: for all), and from when to when (None: lasts).
Without = tuple[str, int | None, float, float | None]


def without_any(report: Report) -> dict[str, Without]:
    """When all of several servers of an entry were out at once, by the id of the outage that began last. This must last
    longer than SILENCE_MAX seconds, which a phone may take to turn to the next server: until it is asked, that server
    may have been back."""
    servers: dict[str, set[str]] = {}
    for server in report.servers:
        if server.entry is not None:
            servers.setdefault(server.entry, set()).add(server.server)
    found: dict[str, Without] = {}
    for entry, known in servers.items():
        out: dict[str, Incident] = {}
        outages = (one for one in report.incidents if one.kind == OUTAGE and one.server in known and len(known) > 1)
        for last in sorted(outages, key=lambda one: (one.start, one.id)):
            out = {server: one for server, one in out.items() if last.start < (one.end or inf)}
            out[last.server or ""] = last
            if out.keys() == known and not any(map(_hides_some, out.values())):
                end = min(one.end or inf for one in out.values())
                some = _in_all(out.values()) if any(tells(one, OTHER_PHONES) for one in out.values()) else None
                if end - last.start > SILENCE_MAX and some != 0:
                    found[last.id] = entry, some, last.start, None if end == inf else end
    return found


def _in_all(incidents: Iterable[Incident]) -> int:
    """How many lines all of the outages reached, if these are nearly all lines of the largest: then they are cut off
    while others are served. Otherwise 0: a line that is one of many which a server did not answer may have been served
    by it a moment later."""
    reached = [Counter(one.lines) for one in incidents]
    common = reduce(and_, reached).total()
    return common if common >= NEARLY_ALL * max(lines.total() for lines in reached) else 0


def _hides_some(incident: Incident) -> bool:
    """Whether some requests of its lines were served, or may have been, as the captures do not show all servers of the
    entry."""
    return tells(incident, OTHER_REQUESTS) or tells(incident, BY_TURNS) \
        or any(entry.what.startswith(UNSEEN) for entry in incident.timeline)
