"""Connections that servers reset. A restarted server knows none of its old connections, and serves whoever opens a new
one (RFC 9293 3.5.1). So a reset is evidence of failure only if the phone is not answered for as long as phones wait."""

from __future__ import annotations

from sipaudit.incidents.failing import InVain
from sipaudit.incidents.outages import Outages
from sipaudit.incidents.servers import ServerWatch
from sipaudit.incidents.tally import Tally
from sipaudit.incidents.timers import Timers


class CutOff:
    """Holds back the evidence of a reset until it is known whether the phone is answered."""

    __slots__ = ("_outages", "_tally", "_timers")

    def __init__(self, tally: Tally, timers: Timers, outages: Outages) -> None:
        self._tally = tally
        self._timers = timers
        self._outages = outages

    def off(self, server: ServerWatch, vain: InVain, time: float) -> None:
        """A phone's connection was reset, and its pending request with it."""
        if server.cut.setdefault(vain.phone, vain) is vain:
            self._timers.at(time + max(subject.silence for subject in vain.subjects), self._look, (server, vain))

    def _look(self, cut: tuple[ServerWatch, InVain]) -> None:
        server, vain = cut
        if server.cut.get(vain.phone) is not vain:
            return   # the phone was answered
        del server.cut[vain.phone]
        if self._tally.servers.get(server.key) is server:
            self._outages.fails(server, vain)
