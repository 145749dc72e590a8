"""Why lines were not registered, as the timeline of their gap tells."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sipaudit.incidents.spells import IS_NOT_REACHED, IS_SILENT, REFUSES
from sipaudit.model.values import Incident

CAUSES_SAID = 4   # whoever registers at many servers fills the timeline

# names of lines, and what users wrote of known events (behind `known:`), stand in other entries, and may be anything
CAUSE = re.compile(
    rf"(\S*[^\s:])({REFUSES}|{IS_SILENT}|{IS_NOT_REACHED})([0-9]{{1,9}}) lines?(?: with|:)? ?([a-z0-9, ]*)")

Why = tuple[str, str]   # the server, and what is said of it


def causes(incident: Incident, out: frozenset[str]) -> Iterator[Why]:
    """Who kept the lines from registering, and how, most of them first; what servers that were `out` did not answer is
    told of these."""
    told = [found for entry in incident.timeline if (found := CAUSE.fullmatch(entry.what)) is not None]
    told = [found for found in told if found[2] == REFUSES or found[1] not in out]
    for found in sorted(told, key=lambda one: -int(one[3]))[:CAUSES_SAID]:
        server, how, count, more = found.groups()
        whose = "" if int(count) == len(incident.lines) else f"{count} of them"
        if how == REFUSES:
            yield server, f"refused {f'REGISTERs of {whose}' if whose else 'their REGISTERs'} with {more}"
        else:
            yield server, _in_vain(how, whose, more)


def _in_vain(how: str, whose: str, kinds: str) -> str:
    if how == IS_SILENT:
        return f"did not answer {f'REGISTERs of {whose}' if whose else 'their REGISTERs'}"
    if kinds == "dns":
        return f"could not be found by {whose or 'them'}, since its name did not resolve"
    return f"could not be reached by {whose or 'them'}"
