"""What sources of HEP have in common, however the packets reach us: their numbers, and where they cannot be found."""

from __future__ import annotations

from collections.abc import Sequence

from sipaudit.capture.bounds import CaptureBounds
from sipaudit.capture.health import CaptureHealth
from sipaudit.live.hep.intake import Intake
from sipaudit.sip.datagram import Item

MANY = 2   # agents, of which nobody knows how many there will be


class Shipped:
    """The part of a source (`live.ends.Source`) that does not depend on the transport; `port` is where it listens."""

    def __init__(self, name: str, port: int, capture: int, key: bytes | None, bounds: CaptureBounds) -> None:
        self.capture = capture
        self.health = CaptureHealth(name, link_types=["HEP"])
        self.blind = 0.0
        self.port = port
        self._intake = Intake(capture, self.health, key, bounds)
        self._bounds = bounds

    @property
    def by_our_clock(self) -> bool:
        """Agents that ship what they see now are believed where their clocks agree with ours."""
        return self._intake.live

    @property
    def taps(self) -> int:
        return MANY

    @property
    def reader(self) -> Shipped:
        """What it remembers is its own."""
        return self

    @property
    def evicted(self) -> dict[str, int]:
        """What the bounds pushed out, or turned away, by kind."""
        return {}

    def tighten(self, bounds: CaptureBounds) -> None:
        """Other bounds from now on."""
        self._bounds = bounds
        self._intake.tighten(bounds)

    def place(self, frame: int) -> tuple[str, int | None]:  # noqa: ARG002 - all of them are there
        """The listener; what an agent ships has no number that anybody could look up (contract.md 3)."""
        return self.health.path, None

    def position(self) -> int:
        return self._intake.frames

    def go_on(self, position: int) -> bool:
        """Numbers go on, so that each means one packet. What was not received is gone."""
        self._intake.frames = position
        return False

    def _ready(self, now: float) -> list[Item]:
        """What can be given away at `now`."""
        self._intake.pass_time(now)
        items, self._intake.items = self._intake.items, []
        return items

    def _waited_for(self, descriptor: int) -> Sequence[int]:
        """This one; none while messages are held back, for then time brings them, not a packet."""
        return () if self._intake.waits else (descriptor,)
