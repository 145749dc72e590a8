"""What several stories of the rulebook begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit.rulebook.rules import Rule
from tests.rulebook.stories import rule_text, rules


@pytest.fixture
def mine(tmp_path: Path) -> Rule:
    """A rule of which nothing but its expectation matters."""
    return rules(tmp_path, rule_text())["mine"]
