"""Servers that answer some of what they are asked, and leave other requests of the same phones without an answer: one
of several processes behind an address is dead, or packets are dropped at random.

Ten seconds without a request in vain end an outage (reference-model.md 7), and such a server gives them by chance: what
it does is one incident all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipaudit.incidents.outage import Outage
    from sipaudit.incidents.servers import ServerWatch

SERVED_KEPT = 64     # phones
EARLIER_KEPT = 16    # outages before one that may have been the same
SEVERAL = 2          # phones: one may have a path of its own that fails now and then
CLOSE = 60.0         # seconds


class ByTurns:
    """What one outage shows of that: `served` which phones were answered in time between requests in vain, and when
    first, `again` which were, and then asked the same in vain once more; `earlier` the outages before it, and whether
    some of these were `one` with it."""

    __slots__ = ("again", "earlier", "one", "served")

    def __init__(self) -> None:
        self.served: dict[int, float] = {}
        self.again: set[int] = set()
        self.earlier: tuple[Outage, ...] = ()
        self.one = False

    def look(self, server: ServerWatch, outage: Outage) -> None:
        """What was answered meanwhile to requests such as those in vain."""
        for answered, phone, method in server.helped:
            if outage.start < answered < outage.last and method in outage.methods and answered not in server.late \
                    and (phone in self.served or len(self.served) < SERVED_KEPT):
                self.served[phone] = min(answered, self.served.get(phone, answered))

    def take_in(self, before: ByTurns) -> None:
        """An outage before it was one with it."""
        self.one = True
        self.served = {**self.served, **before.served}
        self.again |= before.again

    @property
    def shown(self) -> bool:
        """Whether that is what the server did."""
        return self.one or len(self.again) >= SEVERAL

    @property
    def since(self) -> float | None:
        """When it first answered anything between requests in vain."""
        return min(self.served.values(), default=None)


def earlier_ones(outage: Outage) -> list[Outage]:
    """The outages before this one that are one with it, and those between."""
    earlier = outage.turns.earlier
    for place, before in enumerate(earlier):
        if _are_one(before, outage) or (before is earlier[-1] and _is_fringe(before, outage)):
            return list(earlier[place:])
    return []


def _are_one(before: Outage, outage: Outage) -> bool:
    """Whether in both some phones were answered between the requests in vain, some have asked in vain in both, and who
    was answered in one was not in the other. A link that is cut again has the same phones on its two sides; a server
    that is gone answers nobody."""
    theirs, own = before.turns.served.keys(), outage.turns.served.keys()
    if not theirs or not own or before.first.keys().isdisjoint(outage.first):
        return False
    return not theirs.isdisjoint(outage.first) or not own.isdisjoint(before.first)


def _is_fringe(before: Outage, outage: Outage) -> bool:
    """Whether one of the two is as short as a few requests that were dropped one after the other, and the other, of a
    server that answers by turns, lies close by."""
    if outage.start - before.last > CLOSE:
        return False
    return (before.is_by_turns and outage.end is not None and outage.end - outage.start <= CLOSE) \
        or (outage.is_by_turns and before.last - before.start <= CLOSE)
