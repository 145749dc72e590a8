"""Whole simulated lives of phones that keep all rules, and of the network between them and the tap."""

from __future__ import annotations

import pytest

from tests.lives import lived
from tests.stories import Court
from tests.traps.ground import MODES, PREMATURE, REGIMES, UNREGISTERED, accused

ABOUT = (UNREGISTERED, PREMATURE)

LIVES = 6   # of each regime and mode
SEEDS = {(regime, mode): range(number * LIVES, (number + 1) * LIVES)
         for number, (regime, mode) in enumerate((regime, mode) for regime in REGIMES for mode in MODES)}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("regime", REGIMES)
def test_a_phone_that_keeps_all_rules_is_never_accused(court: Court, regime: str, mode: str) -> None:
    for seed in SEEDS[regime, mode]:
        story, declared = lived({**REGIMES[regime], **MODES[mode]}, seed)
        assert accused(court(story, declared)) == [], seed


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("regime", REGIMES)
def test_nor_is_it_for_certain_when_packets_are_missing(court: Court, regime: str, mode: str) -> None:
    for seed in SEEDS[regime, mode]:
        story, declared = lived({**REGIMES[regime], **MODES[mode]}, seed)
        found = court(story.thinned(0.02, seed), declared)
        assert [said for said in found if "certain" in said] == [], seed
