"""Stories in packets, one for each trap that must not lead to a conviction (reference-model.md 6), and the same faults
told beside the trap, which must be found.

The story is nearly always the same: P falls silent at 300, the phone gives up at 305.5 and moves to S, and returns to P
a minute later, at 366.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories import MINUTE, R0, R1, R2, R3, Handset, P, Settings, Story, site

REGIMES = {"R0": R0, "R1": R1, "R2": R2, "R3": R3}
MODES: dict[str, Settings] = {
    "newRequests": {"failBack.mode": "newRequests"},
    "DNSTTL": {"failBack.mode": "DNSTTL"},
    "registration": {"failBack.mode": "registration"},
    "duration": MINUTE,
}
TTL = 120
DUE = {"newRequests": 1.0, "DNSTTL": 115.0, "registration": 235.0, "duration": 56.0}  # seconds after the call at S
EARLY = 336.0
RETURN = 366.5
UNREGISTERED, PREMATURE = "signalling-to-unregistered-server", "premature-failback"

any_regime = pytest.mark.parametrize("regime", REGIMES)
gated_regime = pytest.mark.parametrize("regime", ["R1", "R2", "R3"])
timed_mode = pytest.mark.parametrize("mode", ["DNSTTL", "registration", "duration"])
any_mode = pytest.mark.parametrize("mode", MODES)
BY_NAME = {"entries": {"sbc": {"servers": [{"name": f"sbc{number}.example.com"} for number in (1, 2)]}}}


def minute(regime: str, **more: Any) -> dict[str, Any]:
    """A site in this regime whose phones return after a minute."""
    return site({**REGIMES[regime], **MINUTE}, **more)


def handset(story: Story | None = None, **known: Any) -> Handset:
    """A phone that registered at P long ago."""
    phone = Handset(story or Story(), **known)
    phone.register(0)
    return phone


def moved(regime: str, story: Story | None = None, **known: Any) -> Handset:
    """A phone that found P silent at 300 and has worked at S since 305.5, as its regime prescribes; its call there ends
    at 310.6."""
    phone = handset(story, **known)
    phone.fail_over(300, registers=regime != "R0")
    return phone


def accused(found: list[str]) -> list[str]:
    """The findings, without those that were left open."""
    return [said for said in found if not said.startswith("?")]


def returns(phone: Handset, regime: str, time: float = RETURN, to: tuple[str, int] = P) -> None:
    """The phone goes back: by a call, in the regimes that need no registration first."""
    if regime in ("R2", "R3"):
        time = phone.register(time, to)
    phone.call(time, to)


def looks_up(phone: Handset, time: float, ttl: int = 3600, order: tuple[int | None, int | None] = (10, 20),
             srv: int | None = None, owner: str = "_sip._udp.pbx.example.com.", target: str = "sbc") -> None:
    """The phone looks up its servers: the SRV list, and the addresses of its targets. A server whose place in `order`
    is None is no longer listed. `srv` is the TTL of the list, if it differs from that of the addresses."""
    listed = [(number, place) for number, place in enumerate(order, 1) if place is not None]
    lives = ttl if srv is None else srv
    phone.story.lookup(time, phone.place, owner, "SRV", *(
        f"{owner} {lives} IN SRV {place} 1 5060 {target}{number}.example.com." for number, place in listed))
    for number, _ in listed:
        phone.story.lookup(time + 0.01 * number, phone.place, f"{target}{number}.example.com.", "A",
                           f"{target}{number}.example.com. {ttl} IN A 10.0.0.{number}")
