"""What HEP sources have in common, whatever the transport: state, bounds, and numbering of packets."""

from __future__ import annotations

from collections.abc import Sequence

from sipaudit.capture.bounds import CaptureBounds
from sipaudit.capture.health import CaptureHealth
from sipaudit.live.hep.intake import Intake
from sipaudit.sip.datagram import Item

MANY = 2   # stands for any number of agents, since it is not known in advance


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
        """True for live agents: their timestamps are used only as far as they agree with our clock."""
        return self._intake.live

    @property
    def taps(self) -> int:
        return MANY

    @property
    def reader(self) -> Shipped:
        """Itself: its state is shared with no other source."""
        return self

    @property
    def evicted(self) -> dict[str, int]:
        """How much the bounds evicted or turned away, by kind."""
        return {}

    def tighten(self, bounds: CaptureBounds) -> None:
        """Use other bounds from now on."""
        self._bounds = bounds
        self._intake.tighten(bounds)

    def place(self, frame: int) -> tuple[str, int | None]:  # noqa: ARG002 - all of them are there
        """The listener's name; shipped messages have no number that anybody could look up (contract.md 3)."""
        return self.health.path, None

    def position(self) -> int:
        return self._intake.frames

    def go_on(self, position: int) -> bool:
        """Continue the numbering, so that each number means one packet. False: packets in between were not received."""
        self._intake.frames = position
        return False

    def _ready(self, now: float) -> list[Item]:
        """The items that are ready at `now`, which are removed."""
        self._intake.pass_time(now)
        items, self._intake.items = self._intake.items, []
        return items

    def _waited_for(self, descriptor: int) -> Sequence[int]:
        """The descriptor to poll; none while messages are held back, since then time releases them, not a packet."""
        return () if self._intake.waits else (descriptor,)
