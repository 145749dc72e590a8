"""Incidents that are over, as they were told last: a run that tells them again and again need not work them out again.

What an incident says follows from its draft, from the state of all lines and from all that is known of the servers: the
work grows with the site and with the number of incidents.  Once an incident is over, little can still change it, and
that little is looked at (`mark`).
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
"""A line that left the server of an incident, and the move by which it did."""


class Kept(Struct):
    """What was told of one draft, with the lines it reached and how they left the server, while its mark was this."""

    mark: Hashable
    told: Sequence[Reported]
    lines: Mapping[LineOfPhone, Sequence[Departure]]


class Settled:
    """By draft what was told of it. Only what was asked for since the last `turn` is kept at the next."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, Kept] = {}
        self._asked: dict[Hashable, Kept] = {}

    def turn(self) -> None:
        """All incidents will be asked for anew."""
        self._kept, self._asked = self._asked, {}

    def get(self, draft: Draft, mark: Hashable) -> Kept | None:
        """What was told of the draft under this mark; None where it has to be worked out."""
        key = _key(draft)
        kept = self._kept.get(key)
        if kept is None or kept.mark != mark:
            return None
        self._asked[key] = kept
        return kept

    def put(self, draft: Draft, mark: Hashable, told: Sequence[Reported]) -> None:
        """This is told of the draft while its mark stays the same."""
        self._asked[_key(draft)] = Kept(mark, told, _lines(draft))

    def lines(self, draft: Draft) -> Mapping[LineOfPhone, Sequence[Departure]]:
        """The lines that it reached, with the moves by which they left its server."""
        kept = self._asked.get(_key(draft))
        return _lines(draft) if kept is None else kept.lines


def _key(draft: Draft) -> Hashable:
    """What is the same when the draft is: some are made anew whenever they are asked for."""
    return (draft.kind, draft.server, draft.entry, draft.start) if draft.kind in ANEW else draft


def _lines(draft: Draft) -> dict[LineOfPhone, list[Departure]]:
    lines: dict[LineOfPhone, list[Departure]] = {line_of_phone(one): [] for one in draft.lines.values()}
    for subject, move in draft.moves.values():
        lines.setdefault(line_of_phone(subject), []).append((subject, move))
    return lines


def mark(draft: Draft, now: float, spells: int) -> Hashable:
    """All that may still change what is told of a draft that is over; `spells` counts the times without a registration.
    """
    anew = tuple(draft.metrics.values()) if draft.kind in ANEW else ()
    return (draft.kind, draft.start, draft.end, draft.entry, len(draft.lines), len(draft.evidence),
            len(draft.happenings), *anew, *draft.unsettled(now, spells))
