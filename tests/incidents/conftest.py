from __future__ import annotations

from pathlib import Path

import pytest

from tests.incidents.ground import Tower


@pytest.fixture
def tower(tmp_path: Path) -> Tower:
    return Tower(tmp_path)
