"""The court before which every story is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories import Court


@pytest.fixture
def court(tmp_path: Path, request: pytest.FixtureRequest) -> Court:
    """For a module that names rules (`ABOUT`), the court reports only errors and warnings of all other rules."""
    return Court(tmp_path, getattr(request.module, "ABOUT", None))
