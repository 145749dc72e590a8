"""Settings that scenes share, and the steps of a phone that finds its first server away and later returns."""

from __future__ import annotations

from tests.lab.script import Script

GATED = ("R1", "R2", "R3")
INVALIDATING = ("R2", "R3")        # they register before they return
ALL = ("R0", *GATED)
NEW_REQUESTS = {"failBack.mode": "newRequests"}
DNS_TTL = {"failBack.mode": "DNSTTL"}
REGISTRATION = {"failBack.mode": "registration"}
MINUTE = {"failBack.mode": "duration", "failBack.timeout": 60}


def settle(script: Script) -> Script:
    """The phone registers at P and makes a short call: P works."""
    return script.at(1).register("P").at(4).call("P")


def use(script: Script, regime: str, server: str = "S") -> Script:
    """The rest of a failover: the phone does here what failed elsewhere."""
    return (script if regime == "R0" else script.register(server)).call(server)


def go_back(script: Script, regime: str, time: float) -> Script:
    """The return to P as the regime requires, with a call."""
    script.at(time)
    return (script.register("P") if regime in INVALIDATING else script).call("P")


def go_back_wrongly(script: Script, regime: str, time: float, rule: str) -> Script:
    """The same return, whose first request breaks this rule."""
    script.at(time)
    if regime in INVALIDATING:
        return script.register("P").breaks(rule).call("P")
    return dial_wrongly(script, "P", rule)


def dial_wrongly(script: Script, server: str, rule: str, *, maybe: bool = False) -> Script:
    """A call whose INVITE breaks this rule."""
    call = script.dial(server)
    return script.breaks(rule, maybe=maybe).hang_up(call, 1.0)
