"""CEL conditions of rules, and the facts that they may use."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

from sipaudit.model.observations import Fact
from sipaudit.rulebook.facts import NUMBERS
from sipaudit.yamlfile.wording import hint

SAFE_FUNCTIONS = frozenset({"size", "has", "contains", "startsWith", "endsWith", "matches", "int", "double", "string"})
_ENGINE = "cel.cel"
_PLACE = re.compile(r"<input>:1:(\d+): (?:Syntax error: )?(.*?)(?: expecting .*)?$", re.MULTILINE)
_EXAMPLES = ((0, 0.5), (10**9, 1e9))   # numbers that a fact may be: small or large, integer or decimal


class ConditionError(ValueError):
    """A condition that cannot be compiled, or uses a name that no observation has."""


class Condition:
    """One expression over flat fact names; a fact that an observation lacks is null.

    It is compiled at first use, because importing the expression engine takes longer than reading a small capture;
    `check` compiles it at once.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._compiled: tuple[Any, tuple[str, ...]] | None = None

    def __reduce__(self) -> tuple[type[Condition], tuple[str]]:
        return Condition, (self.text,)   # what is compiled cannot be pickled

    def check(self, known: Iterable[str]) -> None:
        """Raise ConditionError unless the expression compiles, uses only `known` names, and can be true: it must treat
        words as words and numbers as numbers."""
        program, names = self._program()
        _refuse_foreign(names, frozenset(known), "name")
        functions = (name for name in program.references()["functions"] if name[0].isalpha())
        _refuse_foreign(functions, SAFE_FUNCTIONS, "function")
        if any(not any(self._bears(number) for number in alike) for alike in _EXAMPLES):
            raise ConditionError("it never holds: it takes a word for a number or a number for a word, or says neither "
                                 "yes nor no")

    def _bears(self, number: float) -> bool:
        """Whether CEL can evaluate it with all numbers set to this one. `method > 3`, for example, is false for every
        observation."""
        program, names = self._program()
        try:
            held = program.execute({name: number if name in NUMBERS else "word" for name in names})
        except TypeError:
            return False
        except (ValueError, RuntimeError, KeyError) as error:
            return not str(error).startswith("Undefined")   # otherwise it depends on the word, as int(kind) does
        return isinstance(held, bool)

    def holds(self, facts: Mapping[str, Fact]) -> bool:
        """Whether the condition is true for these facts. A comparison that CEL refuses (null > 1) counts as not
        true."""
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
                raise ConditionError(f"not a CEL expression: {_complaint(str(error))}") from None
            self._compiled = program, tuple(program.variables())
        return self._compiled


def _complaint(said: str) -> str:
    """CEL's error message for an expression, without the list of everything that it expected."""
    found = _PLACE.search(said)
    return said if found is None else f"at its character {found[1]}: {found[2]}"


def _engine() -> Any:
    """The module that compiles expressions, the only compiled one in the package `cel`. The package itself also imports
    its command line, 300 modules that take longer than most reports."""
    if _ENGINE not in sys.modules:
        package = find_spec("cel")
        spec = package and PathFinder.find_spec(_ENGINE, package.submodule_search_locations)
        if not spec or not spec.loader:
            return import_module("cel")   # another version of the package, or none
        sys.modules[_ENGINE] = module_from_spec(spec)   # under the package's own name for it: it cannot be loaded twice
        spec.loader.exec_module(sys.modules[_ENGINE])
    return sys.modules[_ENGINE]


def _refuse_foreign(words: Iterable[str], known: frozenset[str], kind: str) -> None:
    for word in words:
        if word not in known:
            raise ConditionError(f"unknown {kind} {word!r}{hint(word, known)}")
