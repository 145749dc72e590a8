"""What a shell is offered for the names of rules and terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from sipaudit.errors import InputError

if TYPE_CHECKING:
    from sipaudit.rulebook.rules import RulePack


def rules(context: click.Context, _argument: click.Parameter, typed: str) -> list[str]:
    """Rules and incident kinds, with those of --rules."""
    return _beginning(typed, _ids, context)


def _ids(pack: RulePack) -> list[str]:
    return [*(rule.id for rule in pack.of_lines), *(kind.id for kind in pack.incidents)]


def terms(context: click.Context, argument: click.Parameter, typed: str) -> list[str]:
    """All that `explain` knows, if it is one word; a shell takes several for as many."""
    if context.params.get(argument.name or ""):
        return []
    return _beginning(typed, _names, context)


def _names(pack: RulePack) -> list[str]:
    from sipaudit.rulebook.terms import load_terms, pack_terms

    return [term.name for term in (*pack_terms(pack), *load_terms()) if " " not in term.name]


def _beginning(typed: str, names: Callable[[RulePack], list[str]], context: click.Context) -> list[str]:
    """Those of the names that go on what is typed; none where rules cannot be read, for nobody would see an error."""
    from sipaudit.rulebook.pack import load_pack

    try:
        pack = load_pack(context.params.get("rules") or ())
    except InputError:
        return []
    found = [name for name in names(pack) if name.casefold().startswith(typed.casefold())]
    return list(dict.fromkeys(found))
