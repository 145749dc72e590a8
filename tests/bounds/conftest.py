from __future__ import annotations

import sys

import pytest

from tests.bounds.ground import LOW


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the bound of every small table to LOW."""
    for name, module in list(sys.modules.items()):
        if name.startswith("sipaudit."):
            for bound, value in vars(module).items():
                if bound.endswith("_KEPT") and isinstance(value, int):
                    monkeypatch.setattr(module, bound, min(value, LOW))
