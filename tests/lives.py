"""Whole lives of phones that keep all rules, as stories, with the site files that declare them."""

from __future__ import annotations

import random
from typing import Any

from tests.life import Life, world
from tests.model.fleet.habits import REGIMES as REGIMES_OF_FLEETS
from tests.model.fleet.habits import Habits
from tests.model.fleet.story import History
from tests.stories import VVX, P, Packet, S, Settings, Story, T, site
from tests.traps.ground import MODES, REGIMES
from tests.wire import Wire

SECONDS = 600.0
NOBODY = ("", 0)

LIVES = [({**REGIMES[regime], **MODES[mode]}, seed) for seed, regime in enumerate(REGIMES) for mode in MODES]


def lived(settings: Settings, seed: int) -> tuple[Story, dict[str, object]]:
    """A life under these settings, and the site file that declares it."""
    chance = random.Random(seed)
    servers = [P, S, T][:2 + seed % 2]
    life = Life(settings, servers, world(chance, SECONDS), chance, expires=chance.choice([40, 90, 120, 300]))
    story = life.live(SECONDS, 1 + seed // 2 % 2)
    return story, site({**settings, "expires": life.expires}, *servers, ttl=life.ttl)


def told(history: History) -> Story:
    """The life of a phone of the fleet (tests/model/fleet), as packets."""
    wire = Wire(VVX)
    for event in history.events:
        wire.add(event)
    return Story([Packet(time, frame, NOBODY, NOBODY) for time, frame in wire.packets])


def declared(habits: Habits) -> dict[str, Any]:
    """The site file that declares a phone of the fleet."""
    re_register, fail, only = REGIMES_OF_FLEETS[habits.regime]
    settings: Settings = {
        "reRegisterOn": re_register, "failRegistrationOn": fail, "onlySignalWithRegistered": only,
        "failBack.mode": habits.mode, "failBack.timeout": habits.timeout, "expires": habits.expires,
    }
    servers = [(key.partition(":")[0], 5060) for key in habits.servers]
    assert habits.ttl is not None
    return site(settings, *servers, ttl=habits.ttl[0])
