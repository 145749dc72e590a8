"""Rules as values, and the pack that ships with the program: one file is one rule."""

from __future__ import annotations

from msgspec import Struct

from sipaudit.model.observations import Verdict
from sipaudit.model.values import Severity
from sipaudit.rulebook.conditions import Condition


class Wording(Struct, frozen=True):
    """One way to say a finding; the first whose condition holds is taken."""

    expected: str
    observed: str
    when: Condition | None = None


class Rule(Struct, frozen=True):
    """What makes a finding: which observations (`expectation`, `verdicts`, an optional condition), and how it is said.

    `basis` are ids of reference-model.md, `documentation` has the keys of DOCUMENTATION_KEYS, `file` is its source.
    """

    id: str
    title: str
    severity: Severity
    basis: tuple[str, ...]
    expectation: str
    verdicts: frozenset[Verdict]
    when: Condition | None
    message: tuple[Wording, ...]
    documentation: dict[str, str]
    file: str
