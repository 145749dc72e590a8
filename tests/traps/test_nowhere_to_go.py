"""A silent server is tried again when all others are known to have failed, or sent Retry-After: the next in order is
then the silent one (reference-model.md 1, *failure*; F1, F3)."""

from __future__ import annotations

import pytest

from tests.stories import Court, P, S
from tests.traps.ground import accused, any_regime, handset, minute

ABOUT = ("failover-missing", "failover-skipped-server")


@any_regime
def test_both_servers_are_down(court: Court, regime: str) -> None:
    """The site's uplink is down: the phone has tried S in vain, and tries P again after each wait."""
    phone = handset(granted=300)
    phone.register(240)
    time = phone.silence(480, P, "REGISTER")
    time = phone.silence(time, S, "REGISTER")
    for tried in (time + 45, time + 95, time + 145):
        phone.silence(tried, P, "REGISTER")
    phone.register(time + 200, P)
    phone.call(time + 220, P)
    assert accused(court(phone.story, minute(regime))) == []


@any_regime
@pytest.mark.parametrize(("seconds", "found"), [
    (900, []), (100, ["545.000 failover-missing 1001 10.0.0.1 certain"]),
], ids=["still", "no longer"])
def test_a_server_that_wants_to_be_left_alone(court: Court, regime: str, seconds: int, found: list[str]) -> None:
    phone = handset(granted=300)
    phone.register(240)
    time = phone.silence(250, P)
    asked = phone.ask(time, S, "INVITE" if regime == "R0" else "REGISTER", expires=None if regime == "R0" else 300)
    phone.told(time + 0.1, asked, 503, headers=f"Retry-After: {seconds}\r\n")
    phone.call(270, P, 5)
    for tried in (480, 545, 610):
        phone.silence(tried, P, "REGISTER")
    phone.register(700, P)
    phone.call(720, P)
    assert [one for one in accused(court(phone.story, minute(regime))) if "failover-missing" in one] == found
