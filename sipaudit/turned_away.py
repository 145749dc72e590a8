"""Counts, by kind, the entries that small tables refused or evicted because they were full.

Large tables keep their own counts.  The small ones are many, one for each line, phone, server or incident, and most are
plain values of the model without a reference to anything that could count for them.  Kinds are fixed words (listed in
docs/bounds.md), so there are never more of them than the program has tables.  The counts are per process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sized
from typing import Any, TypeVar

Value = TypeVar("Value")

_COUNTS: Counter[str] = Counter()


def turned_away(kind: str, count: int = 1) -> None:
    """Count `count` entries that a full table of this kind evicted or refused."""
    _COUNTS[kind] += count


def has_room(table: Sized, most: int, kind: str) -> bool:
    """Whether a table with the bound `most` has room for one more entry; if not, it is counted as turned away."""
    if len(table) < most:
        return True
    turned_away(kind)
    return False


def latest(known: tuple[Value, ...], one: Value, most: int, kind: str) -> tuple[Value, ...]:
    """Append `one` to `known`, keeping the last `most`; an entry that is dropped for it is counted."""
    if len(known) < most:
        return (*known, one)
    turned_away(kind)
    return (*known, one)[-most:]


def forget_oldest(table: dict[Any, Any], most: int, kind: str) -> None:
    """Evict the oldest entries of a table that may exceed the bound `most`, and count them."""
    while len(table) > most:
        del table[next(iter(table))]
        turned_away(kind)


def so_far() -> Counter[str]:
    """The counts since the process began."""
    return Counter(_COUNTS)


def since(before: Mapping[str, int]) -> dict[str, int]:
    """The counts since an earlier `so_far`, which is `before`; kinds without any are left out."""
    return {kind: count - before.get(kind, 0) for kind, count in _COUNTS.items() if count > before.get(kind, 0)}
