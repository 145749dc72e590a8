"""Incidents of whole simulated lives: none where all servers work, and no outage unless a server was out."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sipaudit.model.values import Incident
from tests.life import Life, World, world
from tests.stories import Court, P, S, T, site
from tests.traps.ground import MODES, REGIMES
from tests.wire import ORIGIN

SECONDS = 600.0
LIVES = list(enumerate((regime, mode) for regime in REGIMES for mode in MODES))
OUT = ("server-outage", "partial-outage")


def lived(folder: Path, seed: int, regime: str, mode: str, servers_fail: bool, lost: float
          ) -> tuple[World, list[Incident]]:
    """Returns when the servers were really out, and the incidents of one phone's life."""
    chance = random.Random(f"incidents {seed}")
    servers = [P, S, T][:2 + seed % 2]
    told = world(chance, SECONDS) if servers_fail else World({})
    settings = {**REGIMES[regime], **MODES[mode]}
    life = Life(settings, servers, told, chance, expires=chance.choice([40, 90, 120, 300]))
    story = life.live(SECONDS, 1 + seed // 2 % 2)
    declared = site({**settings, "expires": life.expires}, *servers, ttl=life.ttl)
    report = Court(folder).report(story.thinned(lost, seed) if lost else story, declared)
    return told, report.incidents


@pytest.mark.parametrize("lost", [0.0, 0.02])
@pytest.mark.parametrize(("seed", "life"), LIVES)
def test_where_all_servers_work_nothing_happens(tmp_path: Path, seed: int, life: tuple[str, str], lost: float) -> None:
    """Even if the capture lacks packets."""
    _, found = lived(tmp_path, seed, *life, servers_fail=False, lost=lost)
    assert [incident.kind for incident in found] == []


@pytest.mark.parametrize(("seed", "life"), LIVES)
def test_an_outage_begins_while_its_server_is_out(tmp_path: Path, seed: int, life: tuple[str, str]) -> None:
    told, found = lived(tmp_path, seed, *life, servers_fail=True, lost=0.0)
    outages = [incident for incident in found if incident.kind in OUT]
    for incident in outages:
        real = told.outages[(incident.server or "").rpartition(":")[0], 5060]
        assert any(start <= incident.start - ORIGIN < end for start, end, _ in real), incident


def test_most_outages_of_the_first_server_are_noticed(tmp_path: Path) -> None:
    """A phone that sends a request every minute or two cannot miss an outage of two minutes."""
    seen = there = 0
    for seed, life in LIVES:
        told, found = lived(tmp_path, seed, *life, servers_fail=True, lost=0.0)
        starts = [incident.start - ORIGIN for incident in found
                  if incident.kind in OUT and incident.server == "10.0.0.1:5060/udp"]
        for start, end, _ in told.outages.get(P, []):
            if end - start > 120 and end < SECONDS:
                there += 1
                seen += any(start <= begun < end for begun in starts)
    assert there > 3
    assert seen >= 0.8 * there
