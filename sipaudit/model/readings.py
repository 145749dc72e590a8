"""What the sources leave open, represented as masks.

A `Reading` is a choice that no source settles.  A *world* is one way to settle all of them, and a proposition is the
set of worlds in which it holds: an int with one bit for each world.  `ALWAYS` and `NEVER` are the propositions that no
reading affects; `&`, `|` and `ALWAYS ^ x` are the logic.  So every row of the model's tables judges all worlds in one
pass (design.md 3).
"""

from __future__ import annotations

from enum import IntEnum


class Reading(IntEnum):
    """One open choice; the value is its bit in the number of a world."""

    UNAVAILABLE = 0    # F3: 503 counts as a failure of the server
    OPEN_CODE = 1      # F4: 408, 480, other 5xx, a refused REGISTER, silence after 1xx count as a failure
    HALF_RENEWAL = 2   # old firmware renews at half the granted expiry
    BOOT = 3           # the phone that registered anew after a silence had booted
    LITERAL = 4        # an in-dialog 2xx, too, makes a server the working one
    PHONE_WIDE = 5     # a failed server is failed for the phone: any line's REGISTER there ends it for all
    GAVE_UP = 6        # a request answered only after F2's earliest had been given up
    UNMOVED = 7        # after a failover, an answer that need not have made its server the working one did not


WORLDS = 1 << len(Reading)
ALWAYS = (1 << WORLDS) - 1
NEVER = 0


def _worlds_of(reading: Reading) -> int:
    return sum(1 << world for world in range(WORLDS) if world >> reading & 1)


TAKEN = {reading: _worlds_of(reading) for reading in Reading}


def taken(reading: Reading) -> int:
    """The proposition "this reading is the right one"."""
    return TAKEN[reading]


def negate(proposition: int) -> int:
    return ALWAYS ^ proposition


def deciding(proposition: int) -> Reading | None:
    """The first reading on which the proposition depends, None when it depends on none."""
    for reading in Reading:
        with_it = proposition & TAKEN[reading]
        without = proposition & negate(TAKEN[reading])
        # the bit of a world with the reading is 2**reading places above that of its twin without
        if with_it >> (1 << reading) != without:
            return reading
    return None
