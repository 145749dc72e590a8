"""Which phones' packets a router carries: a router that asks its segment in vain for a server has packets of theirs to
send."""

from __future__ import annotations

from sipaudit.model.reach import LONG_AGO
from sipaudit.reconstruct.bounds import SOURCE_LINES
from sipaudit.reconstruct.phones import Phone
from sipaudit.reconstruct.registry import Registry
from sipaudit.sip.datagram import Sought
from sipaudit.turned_away import has_room

LOOKED_EVERY = 10.0      # seconds: a router's search concerns all its phones, so it is not reported for every packet
SOUGHT_KEPT = 16  # searches of routers in that time, each for one server


class Carriers:
    """Which routers (by hardware address) send packets of phones on the captured segment."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._looked = LONG_AGO                           # when phones were last scanned for their routers
        self._macs: set[str | None] = set()               # the routers found then
        self._sought: set[tuple[str, str]] = set()        # and the servers they have searched for since

    def phones_of(self, router: str, item: Sought) -> list[Phone]:
        """The phones whose packets come from this hardware address; none if this router's search for the server was
        reported within LOOKED_EVERY. All phones are scanned at most every LOOKED_EVERY seconds, however many requests
        come."""
        phones = self._registry.phones.values()
        if not 0 <= item.time - self._looked < LOOKED_EVERY:
            self._looked, self._sought = item.time, set()
            self._macs = {mac for phone in phones for mac in _macs_of(phone)}
        if router not in self._macs or (router, item.target) in self._sought \
                or not has_room(self._sought, SOUGHT_KEPT, "neighbours"):
            return []
        self._sought.add((router, item.target))
        return [phone for phone in phones if router in _macs_of(phone)]


def _macs_of(phone: Phone) -> set[str | None]:
    """The hardware addresses from which the phone's packets come on the captured segment."""
    return {line.flow.source_mac for line in phone.lines[:SOURCE_LINES] if line.flow is not None}
