"""A fixture that simulates plans and analyses the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.score.runs import Judged, judged


@pytest.fixture
def judge(tmp_path: Path) -> Any:
    """Simulates a plan, analyses the capture, and returns the report, the truth, and how the two agree."""

    def run(plan: dict[str, Any]) -> Judged:
        return judged(plan, tmp_path, "plan")

    return run
