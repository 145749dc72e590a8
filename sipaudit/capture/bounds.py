"""How much the capture layer remembers between two packets."""

from __future__ import annotations

from msgspec import Struct


class CaptureBounds(Struct, frozen=True):
    """Configurable limits, as counts and bytes; docs/bounds.md says what each table holds and what is evicted first.

    `stream_bytes` covers unfinished messages and segments behind holes, `fragment_bytes` incomplete datagrams. `flows`
    and `duplicates` (packets that may have been captured twice) are per generation; each table has two generations.
    """

    streams: int = 65_536
    stream_bytes: int = 64 << 20
    flows: int = 1 << 17
    fragments: int = 1_000
    fragment_bytes: int = 8 << 20
    duplicates: int = 4_096


FOR_FILES = CaptureBounds()
