"""One shared object for equal values: the phones of a site have hosts, ports and durations in common."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache

NUMBERS = 256     # numbers in the cache
TEXTS = 16_384    # texts in the cache that replaces `sys.intern`


@lru_cache(NUMBERS)
def one_number(number: int) -> int:
    """One object for equal numbers: nearly all flows have the usual port at both ends, and phones request the same
    expiry."""
    return number


@lru_cache(TEXTS)
def _one_text(text: str) -> str:
    return text


def _are_kept_for_good() -> bool:
    """Whether this Python never frees interned strings, as 3.12.1: a probe would then keep every host that anybody ever
    wrote into a packet. Objects that are never freed have an extremely high reference count."""
    return sys.getrefcount(sys.intern("".join(("kept", " for good")))) > 1 << 20


one_text: Callable[[str], str] = _one_text if _are_kept_for_good() else sys.intern
"""One shared object for equal texts: makers, hosts and methods occur in every message."""
