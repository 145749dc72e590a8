"""Copies of a message seen by several agents, or twice by one: they count once, as duplicates at a mirror port do."""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from statistics import median
from typing import NamedTuple

from sipaudit.capture.duplicates import WINDOW
from sipaudit.live.hep.clock import Agent

ELSEWHERE = 0.25  # seconds between two agents' copies; a retransmission comes after 0.5 s (RFC 3261 17.1.1.1, T1)
COMPARED = 64     # copies for which the difference of the agents' clocks is remembered
ENOUGH = 5        # of these must differ to show that clocks do: a single message may be mistaken for a copy
BOUND = 4_096  # messages in each of the two generations that are remembered


class Sighting(NamedTuple):
    """When a message passed (`time`, by the agent's clock) and arrived (`came`, by ours), both in seconds."""

    time: float
    came: float
    agent: Agent


class Copies:
    """Remembers the last messages: between `bound` and twice as many.

    HEP does not ship the IP header, whose identification tells a retransmission from a copy.  A copy from the same
    agent comes within 20 ms, as at a mirror port; one from another agent within ELSEWHERE, by the agents' clocks or by
    ours, since clocks differ.
    """

    def __init__(self) -> None:
        self.bound = BOUND
        self._recent: dict[bytes, Sighting] = {}
        self._older: dict[bytes, Sighting] = {}
        self._apart: deque[float] = deque(maxlen=COMPARED)

    @property
    def apart(self) -> float:
        """The difference between the clocks of agents that see the same messages, in seconds; 0.0 where it is no more
        than a message may take from one to the other."""
        wrong = [seconds for seconds in self._apart if seconds > ELSEWHERE]
        return median(wrong) if len(wrong) >= ENOUGH else 0.0

    def seen(self, message: bytes, sighting: Sighting) -> bool:
        """Whether this message (its addresses, ports, protocol and payload) is a copy of an earlier one."""
        key = blake2b(message, digest_size=16).digest()  # messages may be long, and floods of them come
        known = self._recent.get(key) or self._older.get(key)
        if known is not None and _is_copy(known, sighting):
            if known.agent != sighting.agent:
                self._apart.append(abs(known.time - sighting.time))
            return True
        if len(self._recent) >= self.bound:
            self._older, self._recent = self._recent, {}
        self._recent[key] = sighting
        return False


def _is_copy(known: Sighting, sighting: Sighting) -> bool:
    apart = abs(sighting.time - known.time)
    if known.agent == sighting.agent:
        return apart <= WINDOW
    return apart <= ELSEWHERE or sighting.came - known.came <= ELSEWHERE
