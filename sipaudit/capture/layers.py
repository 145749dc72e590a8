"""What peeling one header off a packet can give: what is inside, or why there is no going on."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from sipaudit.capture.health import CaptureHealth

KINDS_KEPT = 256   # of what is counted by name: packets may hold any EtherType
OTHER = "other"


class Tally(StrEnum):
    """Which counter of `CaptureHealth` a packet that ends here belongs to."""

    UNDECODED = "undecoded"
    CONTENT = "content"
    ENCRYPTED = "encrypted"


class Solicitation(Struct, frozen=True, gc=False):
    """A host, `asker`, asks its segment for the hardware address of `target`, or is told it (`answers`). Addresses are
    packed; `mac` is the asker's hardware address, or empty."""

    asker: bytes
    target: bytes
    answers: bool
    mac: bytes = b""


class Stop(Struct, frozen=True, gc=False):
    """A packet that gives nothing further; `kind` is the name it is counted under. What one host asks another on its
    segment is no message, but may stand in the place of one."""

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
    """What a header carried. `peel` reads the next one; None: `data` begins with an IP header.

    `mac` is the sender's hardware address where the header had one, else empty; `tags` the VLAN tags behind it.
    """

    data: bytes
    peel: Callable[[bytes], Inner | Stop] | None = None
    mac: bytes = b""
    tags: bytes = b""


Peeled = Inner | Stop
Peel = Callable[[bytes], Peeled]

TRUNCATED = Stop("truncated-header")
NESTING = Stop("nesting")
HEADERS = 16  # link headers peeled in one go: tags, labels and sessions of a real network are four or five


def descend(step: Peeled) -> Peeled:
    """Peel until an IP header comes, or until there is no going on."""
    for _ in range(HEADERS):
        if isinstance(step, Stop) or step.peel is None:
            return step
        below = step.peel(step.data)
        if isinstance(below, Inner) and not below.mac and step.mac:   # the address outlives the tags behind it
            below = Inner(below.data, below.peel, step.mac, step.tags + below.tags)
        step = below
    return NESTING
