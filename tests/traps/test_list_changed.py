"""The zone now lists the declared servers in another order: from then on the phone follows the zone."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories import Court, Handset, P, S
from tests.traps.ground import MODES, REGIMES, accused, any_regime, handset, looks_up


def named(regime: str, mode: str) -> dict[str, Any]:
    """Servers that are declared by name and address, as copied from the zone."""
    servers = [{"name": f"sbc{number}.example.com", "address": address}
               for number, (address, _) in enumerate((P, S), 1)]
    return {"entries": {"sbc": {"servers": servers, "dns_ttl": 60}},
            "lines": [{"match": {}, "entry": "sbc", "settings": {**REGIMES[regime], **MODES[mode]}}]}


def told_of_another(regime: str) -> Handset:
    """A phone that learns at 400 that S comes before P, and goes to S with its next request."""
    phone = handset()
    looks_up(phone, 10, ttl=60)
    looks_up(phone, 400, ttl=60, order=(20, 10))
    if regime != "R0":
        phone.register(400.1, S)
    phone.call(401, S, 5)
    return phone


@any_regime
@pytest.mark.parametrize("mode", MODES)
def test_what_stays_with_the_new_first_server_returns_to_none(court: Court, regime: str, mode: str) -> None:
    """B1, and B2 to B4: the line now belongs at S, however long it stays there."""
    phone = told_of_another(regime)
    for time in (500, 600, 900, 4500):
        phone.register(time - 1, S)
        phone.call(time, S, 5)
    assert accused(court(phone.story, named(regime, mode))) == []


@any_regime
@pytest.mark.parametrize("mode", ["DNSTTL", "duration"])
def test_a_return_to_the_new_first_server_is_no_failover(court: Court, regime: str, mode: str) -> None:
    """S falls silent at 500; P, now the second server, serves the line until S is tried again, and so on."""
    phone = told_of_another(regime)
    for time in (500, 1500):
        phone.fail_over(time, S, P, registers=regime != "R0")
        if regime in ("R2", "R3"):
            phone.register(time + 66.5, S)
        phone.call(time + 67, S, 5)
    assert accused(court(phone.story, named(regime, mode))) == []


def test_the_declared_order_counts_while_the_zone_has_not_changed(court: Court) -> None:
    phone = handset()
    looks_up(phone, 10, ttl=60)
    looks_up(phone, 100, ttl=60)
    phone.call(401, S, 5)
    assert [said.split()[1] for said in accused(court(phone.story, named("R0", "newRequests")))] == [
        "primary-not-tried-first"]
