"""Warns of packets that arrive out of order, and of agents whose clocks differ. A live run cannot wait long, so it
follows packets as they arrive, and a response that arrives before its request may count as lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sipaudit.capture.health import CaptureHealth

WORTH = 0.001   # seconds: no response across a network follows its request so soon


class Disorder:
    """Warns once per source, of disorder and of disagreeing clocks each."""

    def __init__(self, health: Sequence[CaptureHealth], log: Callable[[str], None]) -> None:
        self._orderly = list(health)
        self._agreeing = list(health)
        self._log = log

    def turn(self) -> None:
        """Check the sources that have no warning yet."""
        for one in self._orderly:
            if one.late_by >= WORTH:
                self._log(f"packets of {one.path} come up to {one.late_by:.3f} s behind later ones, so that checks "
                          "near them may be left open: capture each interface by itself, into a directory of its own")
        self._orderly = [one for one in self._orderly if one.late_by < WORTH]
        for one in self._agreeing:
            if one.agents_apart:
                self._log(f"agents that ship to {one.path} see the same messages up to {one.agents_apart:.1f} s apart: "
                          "findings are at most likely, and beyond a second checks are left open, until their "
                          "clocks are set (NTP)")
        self._agreeing = [one for one in self._agreeing if not one.agents_apart]
