"""The moments at which a plan has a call made."""

from __future__ import annotations

import random
from collections.abc import Callable

from sipaudit.simulate.clock import Clock, Steps
from sipaudit.simulate.plan.values import Moments


def at_moments(plan: Moments, clock: Clock, chance: random.Random, act: Callable[[], object]) -> Steps[None]:
    """Call `act` at each listed moment that is still to come, then from `plan.start` to `plan.end` about every
    `plan.every` seconds (drawn from 0.5 to 1.5 times that)."""
    for time in [time for time in sorted(plan.at) if time >= clock.now]:
        yield max(0.0, time - clock.now)
        act()
    if plan.every is None:
        return
    yield max(0.0, plan.start - clock.now)
    while True:
        yield plan.every * (0.5 + chance.random())
        if clock.now >= plan.end:
            return
        act()
