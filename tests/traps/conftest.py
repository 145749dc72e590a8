"""The court before which every story is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stories import Court


@pytest.fixture
def court(tmp_path: Path) -> Court:
    return Court(tmp_path)
