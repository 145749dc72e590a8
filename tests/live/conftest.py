"""Fixtures that several live tests share."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.disk import Disk
from tests.live.ear import Ear
from tests.live.mirror import Mirror, mirror
from tests.stories import MINUTE, R2, P, S, site


@pytest.fixture
def ear(tmp_path: Path) -> Ear:
    """A probe whose phones are in regime R2 and return after a minute; test files may define another `ear`."""
    return Ear(tmp_path, site({**R2, **MINUTE}, P, S))


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Mirror]:
    with mirror(tmp_path) as made:
        yield made


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        made = Disk(tmp_path)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be made and mounted here: {error}")
    yield made
    subprocess.run(["umount", "--lazy", made.place], check=True)   # a failed test may have left files open there
