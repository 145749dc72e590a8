"""Plans for the tests: two servers, an outage of the first, a few phones; tests state what is different."""

from __future__ import annotations

from typing import Any

from tests.score.plans import REGIMES

Plan = dict[str, Any]


def plan(group: Plan | None = None, *, faults: list[Plan] | None = None, servers: int = 2, **more: Any) -> Plan:
    """Three phones of regime R2 that return after a minute; the first server is silent from 200 to 260 s."""
    listed = {f"sbc{number}": {"address": f"10.0.0.{number}", "expires": 300} for number in range(1, servers + 1)}
    listed["sbc1"]["faults"] = [{"kind": "silent", "from": 200, "to": 260}] if faults is None else faults
    phones = {
        "entry": "sbc", "count": 3, "user": 1001, "settings": settings("R2", "duration"),
        "calls": [{"at": [100, 205, 290, 400], "seconds": 8}],
    }
    whole: Plan = {"seed": 3, "duration": 600, "servers": listed, "entries": {"sbc": {"servers": list(listed)}},
                   "phones": [phones | (group or {})]}
    return whole | more


def settings(regime: str, mode: str) -> Plan:
    timeout = {"failBack.timeout": 60} if mode == "duration" else {}
    return {**REGIMES[regime], "failBack.mode": mode, "expires": 300, **timeout}
