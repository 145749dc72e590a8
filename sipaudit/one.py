"""One value for all that are equal: phones of a site have hosts, ports and times in common."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache

NUMBERS = 256     # remembered
TEXTS = 16_384    # as many, where Python must not do it


@lru_cache(NUMBERS)
def one_number(number: int) -> int:
    """One for all that are equal: nearly all flows have the usual port at both ends, and phones ask for the same time.
    """
    return number


@lru_cache(TEXTS)
def _one_text(text: str) -> str:
    return text


def _are_kept_for_good() -> bool:
    """Whether this Python never lets go of a text that was interned, as 3.12.1 does: a probe would hold every host that
    anybody ever wrote into a packet. What is never let go has a count of references that no other has."""
    return sys.getrefcount(sys.intern("".join(("kept", " for good")))) > 1 << 20


one_text: Callable[[str], str] = _one_text if _are_kept_for_good() else sys.intern
"""One for all that are equal: makers, hosts and methods are written in every message."""
