"""An attribute with one value in most objects and several in a few: a single value is stored without a tuple around it.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

One = TypeVar("One")


def several(known: One | tuple[One, ...]) -> tuple[One, ...]:
    """A value or a tuple of values, as a tuple."""
    return known if isinstance(known, tuple) else (known,)


class Several(Generic[One]):
    """A descriptor for an attribute that reads and writes as a tuple, stored in the slot of its name with `_` before
    it."""

    __slots__ = ("_slot",)

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = owner.__dict__[f"_{name}"]

    def __get__(self, instance: Any, _owner: type | None = None) -> tuple[One, ...]:
        known = self._slot.__get__(instance)
        return known if type(known) is tuple else (known,)   # as `several`, inlined: it runs for every message

    def __set__(self, instance: Any, values: tuple[One, ...]) -> None:
        self._slot.__set__(instance, values[0] if len(values) == 1 else values)
