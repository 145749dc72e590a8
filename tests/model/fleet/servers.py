"""Servers: how they fail and recover, and how they answer while they work. All drawn from a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

UDP_FAULTS = ("silent", "silent", "silent", "503", "503-wait", "icmp", "partial", "refuses", "slow", "flaps", "dns")
TCP_FAULTS = ("silent", "503", "503-wait", "refused", "reset", "partial", "refuses", "slow", "flaps", "dns")
TLS_FAULTS = (*TCP_FAULTS, "tls")
CODES = (403, 404, 408, 480, 500, 504)


@dataclass(frozen=True)
class Outage:
    """From when to when a server is faulty; `code` is the status if it refuses, `period` the seconds between changes if
    it flaps."""

    start: float
    end: float
    how: str
    code: int = 500
    period: float = 40.0

    def at(self, now: float) -> str:
        """The kind of fault at this moment."""
        if self.how == "flaps":
            return "silent" if int((now - self.start) / self.period) % 2 == 0 else "up"
        return self.how


@dataclass
class Plan:
    """What happens to the servers of an entry over time, and how each answers while it works."""

    chance: random.Random
    outages: dict[str, list[Outage]] = field(default_factory=dict)
    challenges: dict[str, int] = field(default_factory=dict)   # server -> 0 never, 401 REGISTER only, 407 all
    min_expires: int = 0
    grants: float = 1.0          # share of what is asked that is granted
    odd_contacts: float = 0.0    # how often a 200 does not list the phone's own Contact
    no_life: float = 0.0         # how often a 200 grants nothing at all
    redirects: float = 0.0
    trying: float = 0.2          # how often a REGISTER gets a 100 first
    tries_invites: float = 0.8   # how often an INVITE gets a 100 first
    latency: float = 0.05
    far_calls: float = 0.0       # mean seconds between two calls to a line, 0 = none
    reorders_at: float | None = None

    def outage(self, server: str, now: float) -> Outage | None:
        return next((one for one in self.outages.get(server, ()) if one.start <= now < one.end), None)

    def fate(self, server: str, now: float, method: str) -> str:
        """What happens now to a packet to or from this server."""
        outage = self.outage(server, now)
        how = "up" if outage is None else outage.at(now)
        if how == "partial":
            return "silent" if method in ("INVITE", "SUBSCRIBE", "MESSAGE") else "up"
        return how

    def reaches(self, server: str, now: float, method: str) -> bool:
        return self.fate(server, now, method) in ("up", "slow", "refuses")

    def delay(self, server: str, now: float) -> float:
        """Seconds until the answer arrives."""
        if self.fate(server, now, "") == "slow":
            return self.chance.uniform(0.3, 8.0)
        return self.chance.uniform(0.2, 2.0) * self.latency

    def code(self, server: str, now: float) -> int:
        outage = self.outage(server, now)
        return outage.code if outage is not None else 500


def any_plan(chance: random.Random, servers: tuple[str, ...], length: float, transport: str) -> Plan:
    """Servers that fail in every possible way, one or several at a time."""
    faults = {"udp": UDP_FAULTS, "tcp": TCP_FAULTS}.get(transport, TLS_FAULTS)
    outages: dict[str, list[Outage]] = {}
    now = chance.uniform(20, 200)
    while now < length:
        end = now + chance.choice((chance.uniform(3, 40), chance.uniform(40, 300), chance.uniform(100, 0.7 * length)))
        outages.setdefault(chance.choice((servers[0], *servers)), []).append(
            Outage(now, end, chance.choice(faults), chance.choice(CODES), chance.uniform(5, 90)))
        now += chance.uniform(0.2, 1.5) * (end - now) + chance.uniform(0, 0.2 * length)
    return Plan(
        chance, outages, challenges={server: chance.choice((0, 0, 401, 407)) for server in servers},
        min_expires=chance.choice((0, 0, 0, 100)), grants=chance.choice((1.0, 1.0, 0.5)),
        odd_contacts=chance.choice((0.0, 0.0, 0.2)), no_life=chance.choice((0.0, 0.0, 0.0, 0.1)),
        redirects=chance.choice((0.0, 0.0, 0.05)), latency=chance.choice((0.02, 0.05, 0.2)),
        far_calls=chance.choice((0.0, 100.0, 300.0)),
        reorders_at=chance.uniform(0.3, 0.9) * length if chance.random() < 0.05 else None,
    )


def plain_plan(chance: random.Random, servers: tuple[str, ...], length: float, *, flaps: float = 0.0,
               **changes: Any) -> Plan:
    """The primary falls silent from time to time, long enough for each line to notice; or it changes state every
    `flaps` seconds."""
    outages: dict[str, list[Outage]] = {}
    now = chance.uniform(100, 300)
    while now < length:
        end = now + (flaps or chance.uniform(150, 500))
        outages.setdefault(servers[0], []).append(Outage(now, end, chance.choice(("silent", "silent", "icmp"))))
        now = end + (flaps or chance.uniform(600, 900))
    plan = Plan(chance, outages, challenges=dict.fromkeys(servers, chance.choice((0, 401))), far_calls=200.0,
                tries_invites=1.0)
    return replace(plan, **changes)
