"""How many items each table may hold, so that all tables together stay within a number of bytes (`--max-memory`).

Every table gets a share of the memory, and as many items as fit in it at the size that one takes in a flood
(docs/bounds.md has both, and how they were measured).
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.capture.bounds import CaptureBounds
from sipaudit.incidents.draft import DRAFTS_KEPT
from sipaudit.incidents.requests import OPEN_KEPT
from sipaudit.incidents.tally import SERVERS_KEPT
from sipaudit.reconstruct.bounds import Bounds

EVENTS_HELD = 16    # events held for a candidate; a registration makes four
LEAST = 64   # items for which every table has room

Known = TypeVar("Known", bound=Bounds | CaptureBounds)


class Share(NamedTuple):
    """The share of the memory in percent, and the bytes that one item takes, as `python -m bench.bounds` measures it.
    """

    percent: float
    each: int


HIDDEN = ("candidates", "strange_lines")   # these share one budget
SHARES = {   # by the name of the bound
    "lines": Share(23, 12_000),        # a phone with one line, its replays, and its state in incidents
    "hidden": Share(7, 9_000),         # a line of a candidate, with its phone, its source, and the events held for it
    "transactions": Share(13, 1_500),
    "strange_transactions": Share(5, 1_500),
    "legs": Share(7, 2_500),
    "strange_legs": Share(2, 2_500),
    "sights": Share(2, 400),
    "servers": Share(1, 1_000),
    "names": Share(3, 2_000),
    "chains": Share(1, 6_000),
    "devices": Share(2, 200),
    "streams": Share(5, 5_000),
    "flows": Share(4, 1_200),          # of two generations
    "duplicates": Share(2, 3_000),     # packets that may be mirrored twice, in two generations
    "findings": Share(4, 9_000),
    "incidents": Share(2, 30_000),
    "watched_servers": Share(3, 6_000),
    "watched_requests": Share(3, 1_500),  # a request, a call, and an attempt to call
    "lines_read": Share(6, 1),         # bytes of the parser's cache of header lines
    "stream_bytes": Share(4, 2),       # a byte may be buffered twice
    "fragment_bytes": Share(1, 2),
}


class Budget(Struct, frozen=True):
    """The bounds of all tables; those of the auditor are `findings` to `watched_requests`; `lines_read` is the size in
    bytes of the parser's cache of header lines."""

    reconstruct: Bounds
    capture: CaptureBounds
    findings: int
    incidents: int
    watched_servers: int
    watched_requests: int
    lines_read: int


def budget(size: float, decoders: int = 1) -> Budget:
    """Bounds with which the tables take at most `size` bytes (infinite: all that a site may need), where `decoders`
    decoders share those of captures. No table gets more than in a run over files."""
    def count(name: str, most: float, among: int = 1) -> int:
        share = SHARES["hidden" if name in HIDDEN else name]
        return int(max(min(size * share.percent / 100 / share.each / among, most), LEAST))

    def within(bounds: Known, among: int = 1) -> Known:
        return replace(bounds, **{name: count(name, getattr(bounds, name), among)
                                  for name in bounds.__struct_fields__ if name in SHARES or name in HIDDEN})

    return Budget(
        within(Bounds(held=EVENTS_HELD)), within(CaptureBounds(), decoders), count("findings", 100_000),
        count("incidents", DRAFTS_KEPT), count("watched_servers", SERVERS_KEPT), count("watched_requests", OPEN_KEPT),
        count("lines_read", 64 << 20))


AMPLE = budget(inf)
