"""Values out of the mapping of a rule file; what is wrong becomes a problem with its line and a remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from sipaudit.rulebook.conditions import Condition, ConditionError
from sipaudit.yamlfile.problems import Problems
from sipaudit.yamlfile.reader import Network, Reader, number_in
from sipaudit.yamlfile.tree import Mapping, Node, Scalar, Sequence
from sipaudit.yamlfile.wording import hint, quoted

A_DAY = 86_400.0   # seconds
Word = TypeVar("Word", bound=str)


class Fields:
    """The fields of one mapping; each method answers with an empty value for what it cannot use, and has said so.

    `check` compiles conditions at once.
    """

    def __init__(self, node: Mapping, problems: Problems, check: bool) -> None:
        self.node = node
        self.problems = problems
        self.check = check

    def line(self, key: str) -> int:
        """Where a key stands; the beginning of the mapping when it is missing."""
        return self.node.key_lines.get(key, self.node.line)

    def wrong(self, key: str, message: str, fix: str) -> None:
        """Something is wrong with what a key holds."""
        self.problems.add(self.line(key), message, fix)

    def keys(self, known: Iterable[str], optional: Iterable[str] = ()) -> None:
        """Refuse keys that are not `known`, and the absence of those that are not `optional`."""
        order = list(known)
        for key in self.node.items:
            if key not in order:
                self.wrong(key, f"unknown key {quoted(key)}{hint(key, order)}", f"use one of {', '.join(order)}")
        for key in order:
            if key not in self.node.items and key not in optional:
                self.problems.add(self.node.line, f"the key {key!r} is missing", "add it")

    def mapping(self, key: str) -> Fields:
        """The fields of a mapping within; none when it is missing."""
        value = self.node.items.get(key)
        if isinstance(value, Mapping):
            return Fields(value, self.problems, self.check)
        if value is not None:
            self.problems.add(value.line, f"{key!r} must be a mapping", "see the rules that ship with sipaudit")
        return Fields(Mapping({}, {}, self.node.line), self.problems, self.check)

    def mappings(self, key: str, example: str) -> Iterator[Fields]:
        """The fields of each mapping of a list."""
        value = self.node.items.get(key)
        items = value.items if isinstance(value, Sequence) else ()
        if value is not None and not items:
            self.problems.add(value.line, f"{key!r} must be a list of mappings", f"write `- {example}`")
        for item in items:
            if isinstance(item, Mapping):
                yield Fields(item, self.problems, self.check)
            else:
                self.problems.add(item.line, f"{key!r} holds mappings", f"write `- {example}`")

    def text(self, key: str) -> str:
        """A text with its white space evened out, "" when it is missing."""
        value = self.node.items.get(key)
        if value is None:
            return ""
        if not isinstance(value, Scalar) or value.empty:
            self.problems.add(value.line, f"{key!r} must be text",
                              "write words, between quotes where YAML would read more into them")
            return ""
        return " ".join(value.text.split())

    def texts(self, key: str, example: str, *, single: bool = False) -> list[str]:
        """The texts of a list, or the one text that stands for it when `single`."""
        value = self.node.items.get(key)
        if value is None:
            return []
        items: tuple[Node, ...] = (value,) if single and isinstance(value, Scalar) else ()
        if isinstance(value, Sequence):
            items = value.items
        if not items or not all(isinstance(item, Scalar) and not item.empty for item in items):
            self.problems.add(value.line, f"{key!r} must be a list of words", f"write {example}")
        return [item.text for item in items if isinstance(item, Scalar) and not item.empty]

    def word(self, key: str, kind: Callable[[str], Word], known: Iterable[str]) -> Word | None:
        """One of the known words."""
        text, valid = self.text(key), list(known)
        if not text:
            return None
        if text in valid:
            return kind(text)
        near = hint(text, frozenset(valid))
        self.wrong(key, f"unknown {key} {quoted(text)}{near}", f"write one of {', '.join(valid)}")
        return None

    def number(self, key: str, low: float, high: float, *, whole: bool = False) -> float | None:
        """A number from `low` to `high`."""
        text = self.text(key)
        if not text:
            return None
        value = number_in(text, low, high)
        if value is not None and (not whole or value.is_integer()):
            return int(value) if whole else value
        kind = "whole number" if whole else "number"
        self.wrong(key, f"{key} cannot be {quoted(text)}", f"write a {kind} from {low:.12g} to {high:.12g}")
        return None

    def network(self, key: str) -> Network | None:
        """One address, or a network as CIDR."""
        value = self.node.items.get(key)
        return None if value is None else Reader(self.problems).network(value, key)

    def flag(self, key: str) -> bool | None:
        """true or false."""
        text = self.text(key)
        if text in ("", "true", "false"):
            return None if not text else text == "true"
        self.wrong(key, f"{key} cannot be {quoted(text)}", "write true or false")
        return None

    def condition(self, key: str, known: Iterable[str]) -> Condition | None:
        """A condition in CEL that names `known` facts."""
        text = self.text(key)
        if not text:
            return None
        condition = Condition(text)
        try:
            if self.check:
                condition.check(known)
        except ConditionError as error:
            self.wrong(key, str(error), "see docs/rules.md for the names")
        return condition
