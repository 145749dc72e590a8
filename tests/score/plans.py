"""Plans generated from a seed: fleets of phones in all regimes and modes, and servers that fail in all ways."""

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
AGENTS = (
    "PolycomSoundPointIP-SPIP_335-UA/3.2.5.0495", "PolycomSoundPointIP-SPIP_335-UA/3.2.4.0267",
    "Yealink SIP-T46S 66.83.0.35", "Polycom/5.5.0.20556 PolycomVVX-VVX_500-UA/5.5.0.20556", "unknown",
    "snomD785/10.1.33.33",
)
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


def wild(seed: int, phones: int = 20) -> dict[str, Any]:
    """Obedient phones in less tidy circumstances: other transports, NAT, a bad network, taps of all kinds."""
    chance = random.Random(f"wild {seed}")
    plan = obedient(seed, phones)
    transport = chance.choice(("udp", "udp", "tcp"))
    for group in plan["phones"]:
        group["transport"] = transport
        group["boot-traffic"] = chance.random() < 0.4
        group["boot"] = chance.choice(([0, 5], [0, 200]))
        if chance.random() < 0.15:
            group["nat"] = f"198.51.100.{len(plan['phones'][0]) + group['user'] // 100}"
        if chance.random() < 0.1:
            group["declared"] = False
        if chance.random() < 0.1:
            group["shared"] = True
        if chance.random() < 0.2:
            group["agent"] = chance.choice(AGENTS)
            # renewal at half of the time granted is right unless firmware is known to be newer
            group["habits"] = {"half-renewal": group["agent"] == "unknown" and chance.random() < 0.5}
    plan["entries"]["sbc"]["balanced"] = chance.random() < 0.1
    if chance.random() < 0.2:
        for number, server in enumerate(plan["servers"].values(), 1):
            server["address"] = f"2001:db8::{number}"
        for group in plan["phones"]:
            group.pop("nat", None)
    plan["network"] = chance.choice(({}, {"loss": 0.01}, {"loss": 0.05}, {"jitter": 0.2}, {"reorder": 0.2},
                                     {"duplicate": 0.1}))
    plan["tap"] = chance.choice(({}, {"loss": 0.01}, {"loss": 0.1}, {"from": chance.randrange(1000)}, {"mtu": 576},
                                 {"doubles": 0.3}, {"sees": "from-phones"}, {"sees": "to-phones"}, {"tunnel": "gre"}))
    return plan


Scene = dict[str, Any]
GATED = ("R1", "R2", "R3")
INVALIDATES = ("R2", "R3")
TIMED = ("DNSTTL", "duration")

SCENES: dict[str, Scene] = {
    "signalling-to-unregistered-server": {"regimes": GATED},
    "signalling-after-expiry": {"regimes": INVALIDATES, "outage": None, "expires": (120, 300)},
    "deregistration-at-failover": {"regimes": GATED},
    "unexpected-re-registration": {"regimes": ("R0",), "expires": (3600,)},
    "signalling-to-failed-server": {"regimes": ("R2",), "modes": ("duration",), "delays": (600,),
                                    "calls": ((110, 150), (40, 5))},
    "accepted-from-failed-server": {"regimes": ("R2",), "modes": ("duration",), "delays": (600,), "outage": 60,
                                    "incoming": 60, "expires": (3600,)},
    "failover-without-failure": {"regimes": GATED, "outage": None, "expires": (600, 3600)},
    "failover-skipped-server": {"servers": 3, "expires": (120,)},
    "failover-missing": {"calls": (), "expires": (120,), "outage": 500},
    "premature-failback": {"modes": (*TIMED, "registration"), "delays": (300,), "calls": ((20, 4),),
                           "expires": (300, 600)},
    "overdue-failback": {"modes": TIMED, "delays": (60, 120), "calls": ((90, 5),)},
    "failback-during-call": {"regimes": INVALIDATES, "modes": TIMED, "delays": (60, 120), "calls": ((50, 45),)},
    "failback-without-registration": {"regimes": INVALIDATES, "modes": ("newRequests", *TIMED), "delays": (60, 120),
                                      "calls": ((50, 5),)},
    "failback-probe-registration": {"regimes": ("R1",), "modes": ("newRequests", *TIMED), "expires": (3600,)},
    "failback-retried-too-often": {"regimes": INVALIDATES, "modes": TIMED, "delays": (300,), "outage": 900,
                                   "calls": (), "expires": (120, 300)},
    "primary-not-tried-first": {"modes": ("newRequests",), "calls": ((100, 5),), "outage": 300},
    "secondary-abandoned": {"regimes": INVALIDATES, "delays": (60, 120)},
    "credentials-to-wrong-server": {"regimes": GATED, "outage": None, "nonce-life": 100, "expires": (120, 300)},
    "registration-without-expiry": {"fault": "grants-nothing", "expires": (120, 300), "outage": 250},
    "flapping": {"regimes": ("R0",), "modes": ("newRequests",), "fault": "flapping", "calls": ((30, 5),)},
}


def deviant(seed: int, phones: int = 20) -> dict[str, Any]:
    """A plan of scenes, each with its own servers, whose phones commit one deviation each."""
    chance = random.Random(f"deviant {seed}")
    order = list(SCENES)
    rules = [order[(seed * GROUPS + place) % len(order)] for place in range(GROUPS)]
    plan: dict[str, Any] = {"seed": seed, "duration": DURATION, "servers": {}, "entries": {}, "phones": []}
    for place, rule in enumerate(rules):
        _scene(plan, chance, place, rule, phones // GROUPS)
    return plan


def scene(rule: str, chance: random.Random) -> dict[str, Any]:
    """A plan in which four phones commit one deviation."""
    plan: dict[str, Any] = {"seed": 1, "duration": DURATION, "servers": {}, "entries": {}, "phones": []}
    _scene(plan, chance, 0, rule, 4)
    return plan


def _scene(plan: dict[str, Any], chance: random.Random, place: int, rule: str, count: int) -> None:
    scene = SCENES[rule]
    names = [f"sbc{place + 1}{letter}" for letter in "abc"[: scene.get("servers", 2)]]
    for number, name in enumerate(names, 1):
        plan["servers"][name] = {"address": f"10.0.{place}.{number}", "expires": 3600,
                                 "challenge": "register", "nonce-life": scene.get("nonce-life", 10_000)}
    outage = scene.get("outage", chance.choice((60, 120, 200)))
    if outage is not None:
        fault: dict[str, Any] = {"kind": scene.get("fault", "silent"), "from": 300, "to": 300 + outage}
        if fault["kind"] == "flapping":
            fault |= {"to": DURATION, "up": 45, "down": 45}
        plan["servers"][names[0]]["faults"] = [fault]
    delay = chance.choice(scene.get("delays", (60, 120)))
    plan["entries"][f"list{place}"] = {"servers": names, "dns-ttl": delay}
    settings = dict(REGIMES[chance.choice(scene.get("regimes", tuple(REGIMES)))])
    settings["failBack.mode"] = chance.choice(scene.get("modes", MODES))
    if settings["failBack.mode"] == "duration":
        settings["failBack.timeout"] = delay
    settings["expires"] = chance.choice(scene.get("expires", (300, 600, 3600)))
    group: dict[str, Any] = {
        "entry": f"list{place}", "count": count, "user": 1001 + 100 * place, "settings": settings,
        "calls": [{"every": every, "seconds": seconds} for every, seconds in scene.get("calls", ((60, 10),))],
    }
    if "incoming" in scene:
        group["incoming"] = [{"every": scene["incoming"], "server": names[0]}]
    if rule not in ("registration-without-expiry", "flapping"):
        group["deviates"] = [rule]
    plan["phones"].append(group)
