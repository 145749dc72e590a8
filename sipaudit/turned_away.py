"""What small tables turned away, or let go of to make room: counted in one place, by kind.

The large tables count for themselves.  The small ones are many, one for each line, phone, server or incident, and most
are plain values of the model, which know of nobody whom they could tell.  Kinds are fixed words (docs/bounds.md lists
them), so there are never more of them than the program has tables.  The counts are those of the process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sized
from typing import Any, TypeVar

Value = TypeVar("Value")

_COUNTS: Counter[str] = Counter()


def turned_away(kind: str, count: int = 1) -> None:
    """A table of this kind was full: so many entries of it went, or were not taken."""
    _COUNTS[kind] += count


def has_room(table: Sized, most: int, kind: str) -> bool:
    """Whether a table of at most `most` has room for one more, which else is turned away."""
    if len(table) < most:
        return True
    turned_away(kind)
    return False


def latest(known: tuple[Value, ...], one: Value, most: int, kind: str) -> tuple[Value, ...]:
    """One more behind those that are known: the last `most` of all."""
    if len(known) < most:
        return (*known, one)
    turned_away(kind)
    return (*known, one)[-most:]


def forget_oldest(table: dict[Any, Any], most: int, kind: str) -> None:
    """Of a table that may have grown beyond `most`, let go of what is in it longest."""
    while len(table) > most:
        del table[next(iter(table))]
        turned_away(kind)


def so_far() -> Counter[str]:
    """How many there were since the process began."""
    return Counter(_COUNTS)


def since(before: Mapping[str, int]) -> dict[str, int]:
    """How many there were since `before` was what `so_far` said."""
    return {kind: count - before.get(kind, 0) for kind, count in _COUNTS.items() if count > before.get(kind, 0)}
