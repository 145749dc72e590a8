"""What several live tests begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.ear import Ear
from tests.live.mirror import Mirror, mirror
from tests.stories import MINUTE, R2, P, S, site


@pytest.fixture
def ear(tmp_path: Path) -> Ear:
    """Of phones in R2 that return after a minute, unless a file has another."""
    return Ear(tmp_path, site({**R2, **MINUTE}, P, S))


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Mirror]:
    with mirror(tmp_path) as made:
        yield made
