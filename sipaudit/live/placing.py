"""Where the packet is that proves something: asked of the source it came from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

from sipaudit.live.ends import Source

Place = tuple[str, int | None]
"""Path or name of a capture, and the frame's number in it; None where nothing has one."""


@runtime_checkable
class Filed(Protocol):
    """A source whose packets lie in files."""

    def place(self, frame: int) -> tuple[str, int] | None: ...


def placing(sources: Iterable[Source]) -> Callable[[int, int], Place]:
    """What names (capture, frame) of an item as a report does (contract.md 3): the file and Wireshark's frame where
    there are files, the interface and our own number, or the listener and no number at all."""
    known = {source.capture: source for source in sources}

    def place(capture: int, frame: int) -> Place:
        source = known[capture]
        name = source.health.path
        if isinstance(source, Filed):
            return source.place(frame) or (name, None)
        return name, frame if source.framed else None

    return place
