"""What a second pass over the captures brings to a report: the messages behind the evidence, as text."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class Exhibit(Struct, frozen=True):
    """One message of the evidence: where Wireshark finds it, between whom it went (`address:port`), and its text as it
    was sent, with what is no UTF-8 replaced."""

    capture: str
    frame: int
    time: float
    transport: str
    source: str
    destination: str
    text: str


Exhibits = Mapping[tuple[str, int], list[Exhibit]]
"""By capture (the path as the report names it) and frame: a frame may complete several messages."""
