"""A small score: all that deviates is found, nobody else is accused, and losses make nobody guilty."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.score import plans
from tests.score.runs import judged
from tests.score.table import table


@pytest.mark.parametrize("seed", range(4))
def test_all_deviations_are_found_and_no_others(tmp_path: Path, seed: int) -> None:
    verdict = judged(plans.deviant(seed), tmp_path, "plan").verdict
    assert (verdict.missed, verdict.false) == ([], [])
    assert sum(verdict.true.values()) >= 5


@pytest.mark.parametrize("seed", range(5))
def test_phones_that_obey_are_not_accused(tmp_path: Path, seed: int) -> None:
    verdict = judged(plans.obedient(seed), tmp_path, "plan").verdict
    assert (verdict.missed, verdict.false) == ([], [])


@pytest.mark.parametrize("loss", [0.001, 0.01, 0.05])
def test_losses_at_the_tap_make_nobody_guilty(tmp_path: Path, loss: float) -> None:
    lossy = {"tap": {"loss": loss}}
    assert judged(plans.deviant(5) | lossy, tmp_path, "plan").verdict.false == []
    assert judged(plans.obedient(5) | lossy, tmp_path, "plan").verdict.false == []


def test_the_table_says_what_was_found_and_what_not(tmp_path: Path) -> None:
    verdict = judged(plans.deviant(0), tmp_path, "plan").verdict
    verdict.hit["signalling-after-expiry"] -= 1
    shown = table({0.0: verdict})
    assert "| signalling-after-expiry | 4 | 0.750 | - | 0 |" in shown
    assert "| signalling-to-unregistered-server | 4 | 1.000 | 1.000 | 0 |" in shown
