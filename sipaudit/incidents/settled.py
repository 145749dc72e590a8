"""Caches the reported incidents of drafts that are over, for runs that report again and again.

An incident follows from its draft, from the state of all lines, and from all that is known of the servers: the work
grows with the site and with the number of incidents. Once an incident is over, little can still change it, and `mark`
sums that up.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from msgspec import Struct

from sipaudit.incidents.draft import Draft, Watched
from sipaudit.model.history import MoveSeen
from sipaudit.model.values import Incident
from sipaudit.rulebook.reached import LineOfPhone, line_of_phone

ANEW = frozenset({"register-storm", "registration-gap"})

Reported = tuple[Draft, Incident]
"""A draft, and the incident that reports make of it."""

Departure = tuple[Watched, MoveSeen]
"""A line that left the server of an incident, and the move by which it left."""


class Kept(Struct):
    """The incidents of one draft, the lines that it reached, and how they left the server, valid for this mark."""

    mark: Hashable
    told: Sequence[Reported]
    lines: Mapping[LineOfPhone, Sequence[Departure]]


class Settled:
    """The cache, by draft. At each `turn`, rows that were not used since the last one are dropped."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Kept] = {}
        self._asked: dict[Hashable, Kept] = {}

    def turn(self) -> None:
        """A new report begins, which will ask for all incidents."""
        self._kept, self._asked = self._asked, {}

    def get(self, draft: Draft, mark: Hashable) -> Kept | None:
        """The cached row of the draft, if its mark is the same; otherwise None."""
        key = _key(draft)
        kept = self._kept.get(key)
        if kept is None or kept.mark != mark:
            return None
        self._asked[key] = kept
        return kept

    def put(self, draft: Draft, mark: Hashable, told: Sequence[Reported]) -> None:
        """Cache the incidents of a draft under this mark."""
        self._asked[_key(draft)] = Kept(mark, told, _lines(draft))

    def lines(self, draft: Draft) -> Mapping[LineOfPhone, Sequence[Departure]]:
        """The lines that the draft reached, with the moves by which they left its server."""
        kept = self._asked.get(_key(draft))
        return _lines(draft) if kept is None else kept.lines


def _key(draft: Draft) -> Hashable:
    """The cache key of a draft: drafts of some kinds are created anew for each report."""
    return (draft.kind, draft.server, draft.entry, draft.start) if draft.kind in ANEW else draft


def _lines(draft: Draft) -> dict[LineOfPhone, list[Departure]]:
    lines: dict[LineOfPhone, list[Departure]] = {line_of_phone(one): [] for one in draft.lines.values()}
    for subject, move in draft.moves.values():
        lines.setdefault(line_of_phone(subject), []).append((subject, move))
    return lines


def mark(draft: Draft, now: float, spells: int) -> Hashable:
    """Everything that may still change the incidents of a draft that is over; `spells` is the number of spells so
    far."""
    anew = tuple(draft.metrics.values()) if draft.kind in ANEW else ()
    return (draft.kind, draft.start, draft.end, draft.entry, len(draft.lines), len(draft.evidence),
            len(draft.happenings), *anew, *draft.unsettled(now, spells))
