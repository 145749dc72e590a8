"""What several live tests begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.mirror import Mirror, mirror


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Mirror]:
    with mirror(tmp_path) as made:
        yield made
