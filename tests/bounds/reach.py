"""Counts all objects reachable from one: growth of a probe shows wherever it is stored."""

from __future__ import annotations

import gc
from types import FunctionType, ModuleType

COMPILED = "cython_function_or_method"   # each compiled module has its own type of that name


def size(root: object, *others: object) -> int:
    """The number of objects reachable from `root` without passing through `others`, plus the number of dict keys."""
    seen, keys = set(map(id, others)), 0
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and not _is_code(one):
            seen.add(id(one))
            keys += len(one) if isinstance(one, dict) else 0   # the collector does not report text
            waiting += gc.get_referents(one)
    return len(seen) + keys


def _is_code(one: object) -> bool:
    """Whether it is code (a type, module or function), from which everything stored in its module can be reached."""
    return isinstance(one, type | ModuleType | FunctionType) or type(one).__name__ == COMPILED
