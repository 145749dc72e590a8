"""Notes servers at which lines register but that no entry lists: a typo in an address would hide all moves there."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from sipaudit.live.probe import Probe
from sipaudit.model.sayings import NoteSaid
from sipaudit.run.unheard import COUNTS_AS_NO_MOVE
from sipaudit.turned_away import turned_away

SETTLES = 60.0   # seconds in which the site file or a DNS answer may still assign a server to an entry
KEPT = 1_000     # pairs of entry and server that are pending or were told

log = logging.getLogger(__name__)


class SaidOutside:
    """Says each pair of entry and server once."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str], float] = {}
        self._told: set[tuple[str, str]] = set()

    def registered(self, entry: str | None, server: str, now: float) -> None:
        """A line of this entry registered at this server."""
        if entry is None or (entry, server) in self._told or (entry, server) in self._since:
            return
        if len(self._since) + len(self._told) < KEPT:
            self._since[entry, server] = now
        else:
            turned_away("shown")

    def turn(self, now: float, probe: Probe, *, at_last: bool) -> Iterator[NoteSaid]:
        """Notes on the servers that no entry lists after SETTLES seconds, or `at_last`."""
        listed = {server.key for server in probe.reconstruction.servers.all() if server.entry is not None}
        for pair, since in list(self._since.items()):
            entry, server = pair
            if server in listed:
                del self._since[pair]
            elif at_last or not 0 <= now - since < SETTLES:
                del self._since[pair]
                self._told.add(pair)
                note = f"Lines of {entry} register at {probe.server(server)}, {COUNTS_AS_NO_MOVE.format(entry=entry)}"
                log.warning("%s", note)
                yield NoteSaid(now, note)
