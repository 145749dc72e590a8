"""How much hangs on one thing: what of a probe grows, wherever it is kept."""

from __future__ import annotations

import gc
from types import FunctionType, ModuleType


def size(root: object, *others: object) -> int:
    """How many things can be reached from it, and keys of tables, without passing through any of the others."""
    seen, keys = set(map(id, others)), 0
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and not isinstance(one, type | ModuleType | FunctionType):
            seen.add(id(one))
            keys += len(one) if isinstance(one, dict) else 0   # the collector passes over those that are text
            waiting += gc.get_referents(one)
    return len(seen) + keys
