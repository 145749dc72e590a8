"""CEL conditions of rules: checked when the pack is loaded, so that a typing error cannot hide until an outage."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

Fact = int | float | str | None
# What every observation offers to a condition or a text, beside the names of the line's settings.
FACTS = frozenset({
    "clause", "server", "method", "working", "silent", "registered", "elapsed", "earliest", "timeout", "ttl", "expires",
})
SAFE_FUNCTIONS = frozenset({"size", "has", "contains", "startsWith", "endsWith", "matches", "int", "double", "string"})


class ConditionError(ValueError):
    """A condition that cannot be compiled, or names what no observation has."""


class Condition:
    """One compiled expression over flat fact names; a fact that an observation lacks is null."""

    def __init__(self, text: str) -> None:
        import cel  # deferred: `sipaudit --help` needs no expression engine

        try:
            self._program: Any = cel.compile(text)
        except Exception as error:
            raise ConditionError(f"not a CEL expression: {error}") from None
        self.names: tuple[str, ...] = tuple(self._program.variables())
        unknown = [name for name in self.names if name not in FACTS]
        if unknown:
            raise ConditionError(f"unknown name {unknown[0]!r}{nearest(unknown[0], FACTS)}")
        functions = [name for name in self._program.references()["functions"] if name[0].isalpha()]
        foreign = [name for name in functions if name not in SAFE_FUNCTIONS]
        if foreign:
            raise ConditionError(f"unknown function {foreign[0]!r}{nearest(foreign[0], SAFE_FUNCTIONS)}")

    def holds(self, facts: Mapping[str, Fact]) -> bool:
        """Whether the condition is true of these facts. A comparison that CEL refuses (null > 1) is not true."""
        try:
            return self._program.execute({name: facts.get(name) for name in self.names}) is True
        except (TypeError, ValueError, RuntimeError, KeyError):
            return False


def nearest(word: str, known: frozenset[str]) -> str:
    """`; did you mean 'x'?` for the nearest known word, else nothing."""
    close = difflib.get_close_matches(word, sorted(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""
