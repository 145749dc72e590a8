"""Where tests put the code that they share."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
OF_A_TEST_MODULE = re.compile(r"^\s*(?:from|import) (?:tests)?\.(?:\w+\.)*test_\w+", re.MULTILINE)


def test_no_module_of_tests_is_imported() -> None:
    """Code that two test modules need belongs in a module of its own, whose name tells its contents."""
    paths = [*TESTS.rglob("*.py"), *(TESTS.parent / "bench").glob("*.py")]
    assert [str(path.relative_to(TESTS)) for path in paths if OF_A_TEST_MODULE.search(path.read_text())] == []
