"""How often the garbage collector runs: what is learnt from captures is millions of values, which form no cycles."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

COLLECT_AFTER = (200_000, 20, 100)  # allocations, and how often older generations are searched


@contextmanager
def rare_collections() -> Iterator[None]:
    """Search for garbage cycles rarely, and not among the existing objects: nearly all values are immutable and form
    none, but the search visits all of them. When nested, the existing objects stay excluded until the outer context
    ends."""
    before = gc.get_threshold()
    gc.freeze()
    if before == COLLECT_AFTER:
        yield
        return
    gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        gc.freeze()  # with the next line: moves all new objects to the oldest generation, which is not searched now
        gc.unfreeze()
        gc.set_threshold(*before)


def leave_whole(value: object) -> None:
    """Keep a value to the end of the process without deallocating it then: with millions of small objects that would
    take a twentieth of the whole run. A frozen cycle is not visited even by the last garbage collection."""
    cycle: list[object] = [value]
    cycle.append(cycle)
    atexit.register(gc.freeze)  # not now: the end of `rare_collections` unfreezes all
