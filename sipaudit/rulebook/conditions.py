"""CEL conditions of rules, and the facts they may name."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

from sipaudit.model.observations import Fact
from sipaudit.yamlfile.wording import hint

SAFE_FUNCTIONS = frozenset({"size", "has", "contains", "startsWith", "endsWith", "matches", "int", "double", "string"})
_ENGINE = "cel.cel"


class ConditionError(ValueError):
    """A condition that cannot be compiled, or names what no observation has."""


class Condition:
    """One expression over flat fact names; a fact that an observation lacks is null.

    It is compiled when it is first needed, because the expression engine takes
    longer to import than a small capture to read; `check` does it at once.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._compiled: tuple[Any, tuple[str, ...]] | None = None

    def check(self, known: Iterable[str]) -> None:
        """Raise ConditionError unless the expression compiles and names only what is `known`."""
        program, names = self._program()
        _refuse_foreign(names, frozenset(known), "name")
        functions = (name for name in program.references()["functions"] if name[0].isalpha())
        _refuse_foreign(functions, SAFE_FUNCTIONS, "function")

    def holds(self, facts: Mapping[str, Fact]) -> bool:
        """Whether the condition is true of these facts. A comparison that CEL refuses (null > 1) is not true."""
        program, names = self._program()
        try:
            return program.execute({name: facts.get(name) for name in names}) is True
        except (TypeError, ValueError, RuntimeError, KeyError):
            return False

    def _program(self) -> tuple[Any, tuple[str, ...]]:
        if self._compiled is None:
            try:
                program = _engine().compile(self.text)
            except Exception as error:
                raise ConditionError(f"not a CEL expression: {error}") from None
            self._compiled = program, tuple(program.variables())
        return self._compiled


def _engine() -> Any:
    """What compiles expressions: the one module of the package `cel` that is not Python's. The package itself imports
    its command line too, 300 modules that take longer than most reports."""
    if _ENGINE not in sys.modules:
        package = find_spec("cel")
        spec = package and PathFinder.find_spec(_ENGINE, package.submodule_search_locations)
        if not spec or not spec.loader:
            return import_module("cel")   # another version of it, or none
        sys.modules[_ENGINE] = module_from_spec(spec)   # where the package finds it: it bears no second one
        spec.loader.exec_module(sys.modules[_ENGINE])
    return sys.modules[_ENGINE]


def _refuse_foreign(words: Iterable[str], known: frozenset[str], kind: str) -> None:
    for word in words:
        if word not in known:
            raise ConditionError(f"unknown {kind} {word!r}{hint(word, known)}")
