"""Plans that nobody wrote: fleets of phones in all regimes and modes, servers that fail in all ways, by a seed."""

from __future__ import annotations

import random
from typing import Any

REGIMES: dict[str, dict[str, Any]] = {
    "R0": {},
    "R1": {"reRegisterOn": 1},
    "R2": {"reRegisterOn": 1, "failRegistrationOn": 1},
    "R3": {"reRegisterOn": 1, "failRegistrationOn": 1, "onlySignalWithRegistered": 0},
}
MODES = ("newRequests", "DNSTTL", "registration", "duration")
DURATION = 1500
GROUPS = 5


def obedient(seed: int, phones: int = 20) -> dict[str, Any]:
    """A plan whose phones all do what their settings say."""
    chance = random.Random(f"obedient {seed}")
    servers = {f"sbc{number}": _server(chance, number) for number in range(1, chance.choice((3, 3, 4)))}
    for server in servers.values():
        server["faults"] = _faults(chance)
    plan: dict[str, Any] = {
        "seed": seed, "duration": DURATION, "servers": servers,
        "entries": {"sbc": _entry(chance, list(servers))},
        "phones": [_group(chance, number, phones // GROUPS) for number in range(GROUPS)],
    }
    return plan


def _entry(chance: random.Random, servers: list[str]) -> dict[str, Any]:
    if chance.random() < 0.5:
        return {"servers": servers, "dns-ttl": chance.choice((60, 120, 300))}
    return {"servers": servers, "name": "pbx.example.com", "ttl": chance.choice((60, 120, 300))}


def _server(chance: random.Random, number: int) -> dict[str, Any]:
    server: dict[str, Any] = {
        "address": f"10.0.0.{number}", "expires": chance.choice((60, 120, 300, 600, 3600)),
        "challenge": chance.choice(("none", "register", "all")),
    }
    if chance.random() < 0.3:
        server["nonce-life"] = chance.choice((60, 200))
    if chance.random() < 0.2:
        server["contacts"] = chance.choice((1, 3))
    if chance.random() < 0.2:
        server["options-every"] = 60
    return server


def _faults(chance: random.Random) -> list[dict[str, Any]]:
    faults: list[dict[str, Any]] = []
    for _ in range(chance.choice((0, 1, 1, 2))):
        kind = chance.choice(("silent", "silent", "silent", "unreachable", "unavailable", "no-calls", "slow",
                              "flapping", "forbids", "no-contact", "grants-nothing"))
        start = chance.randrange(100, DURATION - 200)
        fault: dict[str, Any] = {"kind": kind, "from": start, "to": start + chance.choice((20, 60, 150, 400))}
        if kind == "unavailable" and chance.random() < 0.5:
            fault["retry-after"] = chance.choice((10, 60))
        if kind == "slow":
            fault["delay"] = chance.choice((1, 4, 9))
        faults.append(fault)
    return faults


def _group(chance: random.Random, number: int, count: int) -> dict[str, Any]:
    settings = dict(REGIMES[chance.choice(tuple(REGIMES))])
    settings["failBack.mode"] = chance.choice(MODES)
    if settings["failBack.mode"] == "duration":
        settings["failBack.timeout"] = chance.choice((0, 30, 60, 120, 300))
    if chance.random() < 0.3:
        settings["retryTimeOut"] = chance.choice((300, 1000, 2000))
        settings["retryMaxCount"] = chance.choice((1, 2, 4))
    settings["expires"] = chance.choice((60, 120, 300, 600, 3600))
    group: dict[str, Any] = {
        "entry": "sbc", "count": count, "user": 1001 + 100 * number, "settings": settings,
        "lines": chance.choice((1, 1, 1, 2)),
        "calls": [{"every": chance.choice((40, 90, 200)), "seconds": chance.choice((5, 20, 60)),
                   "kind": chance.choice(("talk", "talk", "hold", "transfer", "cancel", "busy", "far-end"))}],
    }
    if chance.random() < 0.5:
        group["incoming"] = [{"every": chance.choice((100, 200)), "seconds": 20,
                              "server": chance.choice(("newest", "newest", "sbc1"))}]
    if chance.random() < 0.4:
        group["subscribe"] = True
        group["subscribe-expires"] = chance.choice((120, 600))
    if chance.random() < 0.2:
        group["options-every"] = 30
    if chance.random() < 0.2:
        group["keepalive-every"] = 30
    if chance.random() < 0.15:
        group["reboot"] = [chance.randrange(100, DURATION)]
        group["new-address"] = chance.random() < 0.3
    if chance.random() < 0.1:
        group["log-out"] = chance.randrange(300, DURATION)
    return group
