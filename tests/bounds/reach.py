"""How much hangs on one thing: what of a probe grows, wherever it is kept."""

from __future__ import annotations

import gc
from types import FunctionType, ModuleType

COMPILED = "cython_function_or_method"   # each module that was compiled has a type of that name


def size(root: object, *others: object) -> int:
    """How many things can be reached from it, and keys of tables, without passing through any of the others."""
    seen, keys = set(map(id, others)), 0
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and not _is_code(one):
            seen.add(id(one))
            keys += len(one) if isinstance(one, dict) else 0   # the collector passes over those that are text
            waiting += gc.get_referents(one)
    return len(seen) + keys


def _is_code(one: object) -> bool:
    """Whether it is code, from which all that its module has remembered can be reached."""
    return isinstance(one, type | ModuleType | FunctionType) or type(one).__name__ == COMPILED
