"""Which phones' packets a router carries: when it seeks a server's address, it has something of theirs to send."""

from __future__ import annotations

from sipaudit.model.reach import LONG_AGO
from sipaudit.reconstruct.bounds import SOURCE_LINES
from sipaudit.reconstruct.phones import Phone
from sipaudit.reconstruct.registry import Registry
from sipaudit.sip.datagram import Sought
from sipaudit.turned_away import has_room

LOOKED_EVERY = 10.0      # seconds: what a router seeks concerns all its phones, and is not told at every packet
SOUGHT_KEPT = 16  # of routers in that time, each of one server


class Carriers:
    """Who sends packets of phones on the captured segment, by hardware address."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._looked = LONG_AGO                           # when it was last asked who carries packets of phones
        self._macs: set[str | None] = set()               # who did then
        self._sought: set[tuple[str, str]] = set()        # and which servers they have sought since

    def phones_of(self, router: str, item: Sought) -> list[Phone]:
        """The phones whose packets come from this hardware address; none where that was told a moment ago. All phones
        are looked through every LOOKED_EVERY seconds at most, however many such requests come."""
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
    """From which hardware addresses the packets of the phone come on the captured segment."""
    return {line.flow.source_mac for line in phone.lines[:SOURCE_LINES] if line.flow is not None}
