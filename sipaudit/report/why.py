"""Why lines were not registered, read from the timeline of their registration-gap."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sipaudit.incidents.spells import IS_NOT_REACHED, IS_SILENT, REFUSES
from sipaudit.model.values import Incident

CAUSES_SAID = 4   # a phone that registers at many servers fills the timeline

# other entries contain names of lines, and (after `known:`) known events in the users' words, which may be anything
CAUSE = re.compile(
    rf"(\S*[^\s:])({REFUSES}|{IS_SILENT}|{IS_NOT_REACHED})([0-9]{{1,9}}) lines?(?: with|:)? ?([a-z0-9, ]*)")

Why = tuple[str, str]   # the server, and how it kept lines from registering


def causes(incident: Incident, out: frozenset[str]) -> Iterator[Why]:
    """The servers that kept the lines from registering, and how, those of most lines first. Servers that were `out` are
    named only if they refused: that they did not answer is described with their outages."""
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
