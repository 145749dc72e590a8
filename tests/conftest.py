"""Options of the test run: `pytest --rewrite` writes what scenarios observe back into their files.

Properties are tried on the same examples every time, so that a run can be
repeated; `pytest --explore` tries others.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="rewrite the expected part of scenario files")
    parser.addoption("--explore", action="store_true", help="try properties on other examples than the usual ones")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("explore" if config.getoption("--explore") else "repeatable")
