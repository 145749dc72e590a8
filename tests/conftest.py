"""Options of the test run: `pytest --rewrite` writes what scenarios observe back into their files."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="rewrite the expected part of scenario files")
