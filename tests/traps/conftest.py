"""The court before which every story is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories import Court


@pytest.fixture
def court(tmp_path: Path, request: pytest.FixtureRequest) -> Court:
    """A module that names rules (`ABOUT`) hears of others only what weighs: errors and warnings."""
    return Court(tmp_path, getattr(request.module, "ABOUT", None))
