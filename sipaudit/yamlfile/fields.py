"""The fields of a mapping, each read by its key: one layer above `reader.py`, which reads single nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import TypeVar

from sipaudit.yamlfile.problems import Problems
from sipaudit.yamlfile.reader import Network, Reader, place_of
from sipaudit.yamlfile.tree import Mapping, Node, Scalar, Sequence

Word = TypeVar("Word", bound=StrEnum)
Value = TypeVar("Value")


class Fields:
    """The mapping at the place `where` of a file, "" at its top. Each method returns an empty value for a key that is
    missing, and for an unusable value, which it also reports as a problem.

    A value that is present but empty is unusable: where a file of this kind names nothing, that would mean everything.
    """

    def __init__(self, node: Mapping, problems: Problems, where: str = "") -> None:
        self.node = node
        self.problems = problems
        self._where = where
        self._reader = Reader(problems)

    def line(self, key: str) -> int:
        """The line of a key; that of the mapping if the key is missing."""
        return self.node.key_lines.get(key, self.node.line)

    def place(self, key: str) -> str:
        """`severities[0].when`: the field's name in messages."""
        return place_of(self._where, key)

    def wrong(self, key: str, message: str, fix: str) -> None:
        """Report a problem with the value of a key."""
        self.problems.add(self.line(key), message, fix)

    def keys(self, known: Iterable[str], optional: Iterable[str] = ()) -> None:
        """Report keys that are not `known`, and missing keys that are not `optional`."""
        order = list(known)
        self._reader.refuse_unknown(self.node, self._where, order)
        for key in order:
            if key not in self.node.items and key not in optional:
                self.problems.add(self.node.line, f"the key {self.place(key)!r} is missing", "add it")

    def mapping(self, key: str, example: str) -> Fields:
        """The fields of a nested mapping; without any keys if it is missing."""
        found = self._read(key, lambda node, where: self._reader.mapping(node, where, example))
        return Fields(found or Mapping({}, {}, self.node.line), self.problems, self.place(key))

    def mappings(self, key: str, example: str) -> Iterator[Fields]:
        """The fields of each mapping in a list."""
        for place, item in self._items(key, self.node.items.get(key), f"[{example}]"):
            mapping = self._reader.mapping(item, place, example)
            if mapping is not None:
                yield Fields(mapping, self.problems, place)

    def text(self, key: str) -> str:
        """A text with its white space normalized."""
        return " ".join((self._read(key, self._reader.text) or "").split())

    def texts(self, key: str, example: str, *, single: bool = False) -> list[str]:
        """The texts of a list; if `single`, one text may stand for a list."""
        value = self.node.items.get(key)
        if single and isinstance(value, Scalar):
            value = Sequence((value,), value.line)
        read = (self._reader.text(item, place, example) for place, item in self._items(key, value, example))
        return [text for text in read if text is not None]

    def _items(self, key: str, value: Node | None, example: str) -> Iterator[tuple[str, Node]]:
        """The items of a list, each with its place. An empty list is a problem."""
        where = self.place(key)
        if isinstance(value, Sequence) and not value.items:
            self.problems.add(value.line, f"{where} is an empty list", f"write it as {example}")
        elif value is not None:
            for index, item in enumerate(self._reader.sequence(value, where, example)):
                yield f"{where}[{index}]", item

    def word(self, key: str, words: type[Word]) -> Word | None:
        """One of the words; None if missing or invalid."""
        found = self._read(key, lambda node, where: self._reader.word(node, where, list(words)))
        return None if found is None else words(found)

    def number(self, key: str, low: float, high: float, unit: str = "seconds") -> float | None:
        """A decimal number from `low` to `high`, of `unit`."""
        return self._read(key, lambda node, where: self._reader.number(node, where, low, high, unit))

    def whole(self, key: str, low: int, high: int) -> int | None:
        """A whole number from `low` to `high`."""
        return self._read(key, lambda node, where: self._reader.whole(node, where, low, high))

    def network(self, key: str) -> Network | None:
        """One address, or a network as CIDR."""
        return self._read(key, self._reader.network)

    def flag(self, key: str) -> bool | None:
        """true or false."""
        return self._read(key, self._reader.flag)

    def _read(self, key: str, read: Callable[[Node, str], Value]) -> Value | None:
        node = self.node.items.get(key)
        return None if node is None else read(node, self.place(key))
