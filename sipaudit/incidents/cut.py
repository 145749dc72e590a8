"""Connections that servers reset. One that was started anew knows none of its old ones, and serves whoever opens
another (RFC 9293 3.5.1): that speaks against it only where its phone is not answered for as long as phones wait."""

from __future__ import annotations

from sipaudit.incidents.failing import InVain
from sipaudit.incidents.outages import Outages
from sipaudit.incidents.servers import ServerWatch
from sipaudit.incidents.tally import Tally
from sipaudit.incidents.timers import Timers


class CutOff:
    """Holds back what such a reset says, until it is known whether the phone is answered."""

    __slots__ = ("_outages", "_tally", "_timers")

    def __init__(self, tally: Tally, timers: Timers, outages: Outages) -> None:
        self._tally = tally
        self._timers = timers
        self._outages = outages

    def off(self, server: ServerWatch, vain: InVain, time: float) -> None:
        """A phone's connection was reset, and with it what it had asked."""
        if server.cut.setdefault(vain.phone, vain) is vain:
            self._timers.at(time + max(subject.silence for subject in vain.subjects), self._look, (server, vain))

    def _look(self, cut: tuple[ServerWatch, InVain]) -> None:
        server, vain = cut
        if server.cut.get(vain.phone) is not vain:
            return   # it was answered
        del server.cut[vain.phone]
        if self._tally.servers.get(server.key) is server:
            self._outages.fails(server, vain)
