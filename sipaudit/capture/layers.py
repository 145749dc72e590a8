"""The results of peeling one header off a packet: what is inside, or why parsing stops."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from sipaudit.capture.health import CaptureHealth

KINDS_KEPT = 256   # names in one counter: packets may hold any EtherType; further kinds count as OTHER
OTHER = "other"


class Tally(StrEnum):
    """Which counter of `CaptureHealth` a packet that ends here belongs to."""

    UNDECODED = "undecoded"
    CONTENT = "content"
    ENCRYPTED = "encrypted"


class Solicitation(Struct, frozen=True, gc=False):
    """The host `asker` requests the hardware address of `target` on its segment, or receives it (`answers`). Addresses
    are packed; `mac` is the asker's hardware address, or empty."""

    asker: bytes
    target: bytes
    answers: bool
    mac: bytes = b""


class Stop(Struct, frozen=True, gc=False):
    """A packet that is not parsed further; `kind` is the name it is counted under. `solicitation`: an address request
    is no message, but may be the only sign of an attempt to send one."""

    kind: str
    tally: Tally = Tally.UNDECODED
    solicitation: Solicitation | None = None

    def count(self, health: CaptureHealth) -> None:
        """Count the packet under its kind, as undecoded or as what it is."""
        kind, tally = self.kind, self.tally
        counts = (health.content if tally is Tally.CONTENT else
                  health.encrypted if tally is Tally.ENCRYPTED else health.undecoded)
        counts[kind if kind in counts or len(counts) < KINDS_KEPT else OTHER] += 1


class Inner(Struct, frozen=True):
    """What a header carried. `peel` parses the next header; None: `data` begins with an IP header.

    `mac` is the sender's hardware address, empty if the header had none; `tags` are the VLAN tags behind it.
    """

    data: bytes
    peel: Callable[[bytes], Inner | Stop] | None = None
    mac: bytes = b""
    tags: bytes = b""


Peeled = Inner | Stop
Peel = Callable[[bytes], Peeled]

TRUNCATED = Stop("truncated-header")
NESTING = Stop("nesting")
HEADERS = 16  # link headers peeled at most: a real network has four or five tags, labels and sessions


def descend(step: Peeled) -> Peeled:
    """Peel headers until an IP header is reached, or parsing stops."""
    for _ in range(HEADERS):
        if isinstance(step, Stop) or step.peel is None:
            return step
        below = step.peel(step.data)
        if isinstance(below, Inner) and not below.mac and step.mac:   # keep the address across tags
            below = Inner(below.data, below.peel, step.mac, step.tags + below.tags)
        step = below
    return NESTING
