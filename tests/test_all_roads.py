"""All short roads at once, over parts of the samples, traffic that was made for none of them: see `tests.all_roads`."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit.incidents.watch import Watch
from tests.all_roads import differences
from tests.roads import never

SEEDS = range(24)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_found_by_short_roads_is_what_is_found_without_them(seed: int, tmp_path: Path) -> None:
    assert differences(tmp_path, seed) == []


def test_a_road_that_leads_elsewhere_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "renewed", never)
    assert any(differences(tmp_path, seed) for seed in SEEDS)
