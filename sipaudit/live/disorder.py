"""Packets that do not come in the order of their times, and agents whose clocks differ. A live run takes packets as
they come, for it cannot wait long, and so may take an answer that comes before its request for one that is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sipaudit.capture.health import CaptureHealth

WORTH = 0.001   # seconds: no answer that crosses a network comes so soon behind its request


class Disorder:
    """Says once of each source that it is so."""

    def __init__(self, health: Sequence[CaptureHealth], log: Callable[[str], None]) -> None:
        self._orderly = list(health)
        self._agreeing = list(health)
        self._log = log

    def turn(self) -> None:
        """Look at the sources of which nothing was said."""
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
