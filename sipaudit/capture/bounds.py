"""How much the capture layer remembers between two packets."""

from __future__ import annotations

from msgspec import Struct


class CaptureBounds(Struct, frozen=True):
    """Counts and bytes that may be set; docs/bounds.md says what each table holds and what goes first.

    `stream_bytes` are those of unfinished messages and of segments behind holes, `fragment_bytes` those of incomplete
    datagrams, `flows` and `duplicates` (packets that may be mirrored twice) those of one generation, of which there are
    two.
    """

    streams: int = 65_536
    stream_bytes: int = 64 << 20
    flows: int = 1 << 17
    fragments: int = 1_000
    fragment_bytes: int = 8 << 20
    duplicates: int = 4_096


FOR_FILES = CaptureBounds()
