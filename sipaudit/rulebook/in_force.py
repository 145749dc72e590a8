"""Loads the rules in force, and the suppressed findings, as given by a user."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from sipaudit.errors import InputError, InputErrors, collecting
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.rules import RulePack
from sipaudit.rulebook.suppress import Suppressions, load_suppressions


def load_rules(extra: Iterable[str], suppress: str | None, zone: tzinfo) -> tuple[RulePack, Suppressions]:
    """Load the files of `--rules` and `--suppress`; times without a time zone are in `zone`. Raises InputErrors with
    all the errors of both."""
    try:
        pack = load_pack(extra)
    except InputError as error:
        errors = list(error.errors)
        with collecting(errors):
            load_suppressions(suppress, zone, rules=None)
        raise InputErrors(errors) from None
    return pack, load_suppressions(suppress, zone, pack.known)
