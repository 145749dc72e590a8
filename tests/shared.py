"""The command, and where the shared public captures lie, seen from the tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
CAPTURES = SHARED / "captures"
COMMAND = [sys.executable, "-m", "sipaudit"]

needs_captures = pytest.mark.skipif(
    not CAPTURES.is_dir(), reason=f"the shared captures are not at {CAPTURES}: corpus tests are skipped"
)
