"""What several tests of the rulebook start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit.rulebook.rules import Rule
from tests.rulebook.stories import rule_text, rules


@pytest.fixture
def mine(tmp_path: Path) -> Rule:
    """A rule in which only the expectation matters."""
    return rules(tmp_path, rule_text())["mine"]
