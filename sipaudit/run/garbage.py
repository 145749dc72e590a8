"""How often garbage cycles are looked for: what is learnt of captures is millions of values, and forms none."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

COLLECT_AFTER = (200_000, 20, 100)  # allocations, and how often the older generations are looked at


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for garbage cycles rarely, and not among what is there now: nearly all values are frozen and form none, and
    the search visits them all. Within another such time what is there now is left alone until that one ends, too."""
    before = gc.get_threshold()
    gc.freeze()
    if before == COLLECT_AFTER:
        yield
        return
    gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        gc.freeze()  # with the next line: all that is new counts as old, else it would be visited now at a sweep
        gc.unfreeze()
        gc.set_threshold(*before)


def leave_whole(value: object) -> None:
    """Keep a value to the end of the process, and do not take it apart then: with millions of small objects that would
    be a twentieth of the whole run. Nobody visits a cycle that was frozen, not even the last search for garbage."""
    cycle: list[object] = [value]
    cycle.append(cycle)
    atexit.register(gc.freeze)  # not now: the end of a rare time thaws what is frozen
