"""Servers that answer some requests and leave other requests of the same phones without an answer: one of several
processes behind an address is dead, or packets are dropped at random.

Ten seconds without an unanswered request end an outage (reference-model.md 7). Such a server has pauses of that length
by chance, yet its failures are one incident.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipaudit.incidents.outage import Outage
    from sipaudit.incidents.servers import ServerWatch

SERVED_KEPT = 64     # phones
EARLIER_KEPT = 16    # earlier outages that may be one with this one
SEVERAL = 2          # phones: a single one may have a path of its own that fails now and then
CLOSE = 60.0         # seconds


class ByTurns:
    """What one outage shows of a server that answers by turns. `served`: the phones that were answered in time between
    unanswered requests, each with the first such time; `again`: those of them that then sent the same in vain once
    more; `earlier`: the outages before this one; `one`: whether some of these are one with it."""

    __slots__ = ("again", "earlier", "one", "served")

    def __init__(self) -> None:
        self.served: dict[int, float] = {}
        self.again: set[int] = set()
        self.earlier: tuple[Outage, ...] = ()
        self.one = False

    def look(self, server: ServerWatch, outage: Outage) -> None:
        """Note the answers that the server gave meanwhile to requests like the unanswered ones."""
        for answered, phone, method in server.helped:
            if outage.start < answered < outage.last and method in outage.methods and answered not in server.late \
                    and (phone in self.served or len(self.served) < SERVED_KEPT):
                self.served[phone] = min(answered, self.served.get(phone, answered))

    def take_in(self, before: ByTurns) -> None:
        """Merge in an earlier outage that is one with this one."""
        self.one = True
        self.served = {**self.served, **before.served}
        self.again |= before.again

    @property
    def shown(self) -> bool:
        """Whether the server answered by turns."""
        return self.one or len(self.again) >= SEVERAL

    @property
    def since(self) -> float | None:
        """When the server first answered anything between unanswered requests."""
        return min(self.served.values(), default=None)


def earlier_ones(outage: Outage) -> list[Outage]:
    """The earlier outages that are one with this one, and those between them."""
    earlier = outage.turns.earlier
    for place, before in enumerate(earlier):
        if _are_one(before, outage) or (before is earlier[-1] and _is_fringe(before, outage)):
            return list(earlier[place:])
    return []


def _are_one(before: Outage, outage: Outage) -> bool:
    """Whether two outages are one: in both, some phones were answered between the unanswered requests; some phones had
    unanswered requests in both; and phones that were answered in one were not in the other. A link that is cut again
    has the same phones on its two sides; a server that is gone answers nobody."""
    theirs, own = before.turns.served.keys(), outage.turns.served.keys()
    if not theirs or not own or before.first.keys().isdisjoint(outage.first):
        return False
    return not theirs.isdisjoint(outage.first) or not own.isdisjoint(before.first)


def _is_fringe(before: Outage, outage: Outage) -> bool:
    """Whether the two lie close together, one of them is as short as a few requests dropped in a row, and the other
    belongs to a server that answers by turns."""
    if outage.start - before.last > CLOSE:
        return False
    return (before.is_by_turns and outage.end is not None and outage.end - outage.start <= CLOSE) \
        or (outage.is_by_turns and before.last - before.start <= CLOSE)
