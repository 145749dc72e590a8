"""docs/rules.md names every key, fact and threshold, and its examples work."""

from __future__ import annotations

import re
from datetime import UTC
from pathlib import Path

import pytest

from sipaudit.rulebook.facts import FACTS
from sipaudit.rulebook.incident_file import THRESHOLDS
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.rule_file import DOCUMENTATION, KEYS
from sipaudit.rulebook.rules import Group
from sipaudit.rulebook.suppress import KEYS as SUPPRESS_KEYS
from sipaudit.rulebook.suppress import load_suppressions
from tests.shared import ROOT

PAGE = (ROOT / "docs" / "rules.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def table() -> str:
    """The rules that ship, as docs/rules.md lists them."""
    pack = load_pack()
    rules = sorted((*pack.rules, *pack.settings), key=lambda rule: (list(Group).index(rule.group), rule.id))
    rows = [f"| `{rule.id}` | {' or '.join(rule.levels)} | {rule.title} | {', '.join(rule.basis)} |" for rule in rules]
    return "\n".join(["| rule | severity | says that | rests on |", "|---|---|---|---|", *rows])


def test_the_rules_that_ship_are_listed(request: pytest.FixtureRequest) -> None:
    begin, end = "<!-- rules: written by pytest --rewrite -->\n", "\n<!-- end -->"
    head, _, rest = PAGE.partition(begin)
    listed, _, tail = rest.partition(end)
    if request.config.getoption("--rewrite"):
        (ROOT / "docs" / "rules.md").write_text(f"{head}{begin}{table()}{end}{tail}")
    assert listed == table(), "pytest --rewrite tests/rulebook/test_documented.py writes the list"


@pytest.mark.parametrize("name", [*KEYS, *DOCUMENTATION, *FACTS, *THRESHOLDS])
def test_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_example_of_an_override_can_be_used(tmp_path: Path) -> None:
    (text,) = (example for example in EXAMPLES if "override:" in example)
    (tmp_path / "over.yaml").write_text(text)
    pack = load_pack([tmp_path / "over.yaml"])
    assert next(rule for rule in pack.rules if rule.id == "premature-failback").tolerance == {"timer": 3.0}


def test_the_example_of_a_suppression_can_be_used_and_shows_every_key(tmp_path: Path) -> None:
    (text,) = (example for example in EXAMPLES if "reason:" in example)
    (tmp_path / "known.yaml").write_text(text)
    known = frozenset({"failback-during-call"})
    assert len(load_suppressions(tmp_path / "known.yaml", UTC, known).items) == 1
    assert all(f"{key}: " in text for key in SUPPRESS_KEYS)
