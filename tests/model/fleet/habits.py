"""A phone's settings, and what it does where the specification leaves a choice."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TypedDict

from sipaudit.model.profile import Profile, Vendor
from sipaudit.model.settings import EntryServer, LineSettings, Origin, ServerEntry, Setting
from tests.model.fleet.wrongs import BY_RULE, Wrong

REGIMES = {"R0": (0, 0, 1), "R1": (1, 0, 1), "R2": (1, 1, 1), "R3": (1, 1, 0)}
MODES = ("newRequests", "DNSTTL", "registration", "duration")
TIMEOUTS = (0, 20, 60, 900, 3600)
OVERLAP = 60


@dataclass(frozen=True)
class Habits:
    """One phone: its settings (names and units of reference-model.md 2) and its choices, each with its clause."""

    regime: str
    mode: str
    timeout: int
    servers: tuple[str, ...]
    lines: int = 1
    length: float = 3600.0
    transport: str = "udp"
    expires: int = 300
    overlap: int | None = None
    retry_timeout: int = 0          # ms
    retry_count: int = 3
    ttl: tuple[int, int] | None = (120, 120)
    ttl_seen: bool = False          # whether the capture shows the phone's DNS; if not, the TTL is only declared
    declared: bool = True
    timers_declared: bool = True
    firmware: str | None = "4.0.1"
    fast_tcp: int | None = None
    on_503: int | None = None
    registers: bool = True
    concurrent: bool = False
    equal: bool = False             # all servers have the same priority
    wrong: str | None = None        # the rule it breaks
    # choices
    arithmetic: int = 2             # F2, research/polycom.md 2: H1, H2 or H3
    patient_at_last: bool = False   # the last server of the list gets the full 32 s
    moves_on_503: bool = True       # F3
    honours_retry_after: bool = True
    moves_on_open_codes: bool = False  # F4
    moves_on_refusal: bool = False  # F4: a refused REGISTER
    shares_evidence: bool = False   # section 1, failure: failure evidence of another line is enough
    skips_failed: bool = False      # passes over servers with failure evidence that still stands
    wraps: bool = True              # F1: the request wraps around to the first server
    t0_late: bool = True            # section 3: where in [first packet, 200] the timer starts
    other_finals_move: bool = True  # section 1, working server: a 4xx or 6xx may make one
    half_renewal: bool = False      # very old firmware
    fresh_call_ids: bool = False    # a new Call-ID for each REGISTER series at another server
    fresh_diverted: bool = False    # the diverted INVITE gets a new Call-ID
    keeps_old: bool = False         # F7: keeps refreshing the binding at the failed server
    register_goes_back: float = 0.0  # B1, B3: how often a REGISTER tries the primary where either is allowed
    subscribe_goes_back: float = 0.5
    between: float = 0.0            # B8, F11: how often a server between is chosen
    try_wait: bool = False          # B3: after a failed try the renewal waits 30-60 s
    waits_for_try: bool = False     # F11: new calls wait for the result of a try
    rearm: float = 1.0              # after a failed try the next is due after so many D, 0 = at once
    attempt_unlocks: bool = False   # F9: "attempted" (signals again even after a failed try) or "succeeds"
    skips_dead_primary: bool = False  # a contact with the primary within 32 s is enough for the next call
    refuses: int = 480              # F9: how a call from a failed server is refused, 0 = silence
    optimized: float = 0.0          # F13: how often the server that challenged last is tried first in a failover
    accepts_odd: bool = True        # F6, a reading: a 200 without the phone's own Contact is accepted, too
    options: float = 0.0            # seconds between two OPTIONS of the phone
    jitter: float = 0.0             # seconds of jitter, for timers of minutes
    # what users and far ends do
    calls: float = 120.0            # mean seconds between two calls of a line
    talk: float = 40.0
    holds: bool = False
    subscribes: bool = False
    messages: bool = False
    emergencies: bool = False
    logs_out: bool = False
    boots: int = 0

    @property
    def delay(self) -> float | None:
        """The timeout in force (C6); None if the primary is not tried again before the next failover."""
        return float(max(self.timeout, 60)) if self.timeout else None

    @property
    def direct(self) -> bool:
        """No REGISTER is needed before other requests: in R0, and for a line that does not register (or registers
        concurrently)."""
        return self.regime == "R0" or not self.registers or self.concurrent

    def breaks(self, rule: str) -> bool:
        return self.wrong == rule


def profile_of(habits: Habits) -> Profile:
    """What the observer knows about the phone."""
    re_register, fail, only = REGIMES[habits.regime]
    values: dict[str, int | str] = {
        "reRegisterOn": re_register, "failRegistrationOn": fail, "onlySignalWithRegistered": only,
        "failBack.mode": habits.mode, "failBack.timeout": habits.timeout, "expires": habits.expires,
    }
    if habits.timers_declared:
        values |= {"retryTimeOut": habits.retry_timeout, "retryMaxCount": habits.retry_count}
    optional = {"expires.overlap": habits.overlap, "tcpFastFailover": habits.fast_tcp,
                "failoverOn503Response": habits.on_503, "register": None if habits.registers else 0,
                "concurrentRegistration": 1 if habits.concurrent else None}
    values |= {name: value for name, value in optional.items() if value is not None}
    known = {name: Setting(value, "test", Origin.EXPLICIT) for name, value in values.items()}
    settings = LineSettings(known, declared=True) if habits.declared else LineSettings()
    ttl = habits.ttl[0] if habits.ttl is not None and not habits.ttl_seen else None
    return Profile(settings, entry=entry_of(habits, habits.servers, ttl), vendor=Vendor.MODELLED,
                   firmware=habits.firmware, vouched=habits.firmware is not None, covered_from=-1e6,
                   heard=frozenset(habits.servers))


def entry_of(habits: Habits, order: tuple[str, ...], ttl: int | None) -> ServerEntry:
    return ServerEntry("sbc", tuple(
        EntryServer(key.rpartition(":")[0], 5060, habits.transport, 1 if habits.equal else number)
        for number, key in enumerate(order, 1)), dns_ttl=ttl)


def names(count: int) -> tuple[str, ...]:
    return tuple(f"10.0.0.{number}:5060" for number in range(1, count + 1))


class Retries(TypedDict):
    retry_timeout: int
    retry_count: int


class Lives(TypedDict):
    """What is known of TTLs."""

    ttl: tuple[int, int] | None
    ttl_seen: bool


@dataclass
class Draw:
    """Draws habits from a seed."""

    chance: random.Random = field(default_factory=random.Random)

    def rare(self, share: float) -> bool:
        return self.chance.random() < share

    def any_phone(self) -> Habits:
        """A phone that obeys, with all its choices open."""
        pick, rare, uniform = self.chance.choice, self.rare, self.chance.uniform
        mode, timeout = pick(MODES), pick(TIMEOUTS)
        needed = {"duration": max(timeout, 60), "DNSTTL": 200}.get(mode, 100)
        expires = pick((60, 90, 120, 300, 300, 600, 3600) if needed < 900 else (300, 600, 3600))
        length = uniform(1.3, 2.5) * max(needed, expires if mode == "registration" else 60) + uniform(300, 900)
        firmware = None if rare(0.2) else pick(("3.2.5", "4.0.1", "5.4.0"))
        return Habits(
            regime=pick(tuple(REGIMES)), mode=mode, timeout=timeout, servers=names(pick((2, 2, 2, 3, 3, 4))),
            lines=pick((1, 1, 1, 2, 3)), length=length,
            transport=pick(("udp", "udp", "udp", "udp", "tcp", "tls")), expires=expires,
            overlap=pick((None, None, None, 5, 120)), **self._retries(),
            **self._names(),
            declared=not rare(0.04), timers_declared=not rare(0.15), firmware=firmware,
            fast_tcp=pick((None, 0, 1)), on_503=pick((None, None, 0, 1)), registers=not rare(0.04),
            concurrent=rare(0.03), equal=rare(0.05),
            arithmetic=pick((1, 2, 3)), patient_at_last=rare(0.5), moves_on_503=rare(0.7),
            honours_retry_after=rare(0.5), moves_on_open_codes=rare(0.4), moves_on_refusal=rare(0.5),
            shares_evidence=rare(0.5), skips_failed=rare(0.4), wraps=rare(0.7), t0_late=rare(0.5),
            other_finals_move=rare(0.5), half_renewal=firmware is None and rare(0.5), fresh_call_ids=rare(0.4),
            fresh_diverted=rare(0.4), keeps_old=rare(0.5), register_goes_back=pick((0.0, 0.3, 1.0)),
            subscribe_goes_back=pick((0.0, 0.5, 1.0)), between=pick((0.0, 0.0, 0.5)), try_wait=rare(0.5),
            waits_for_try=rare(0.5), rearm=pick((0.0, 0.3, 1.0, 1.0, 2.0)), attempt_unlocks=rare(0.2),
            skips_dead_primary=rare(0.4), refuses=pick((480, 403, 503, 0)), optimized=pick((0.0, 0.0, 1.0)),
            accepts_odd=rare(0.5),
            options=pick((0.0, 0.0, 30.0)), jitter=1.0, calls=length / uniform(3, 20), talk=pick((5.0, 40.0, 200.0)),
            holds=rare(0.5), subscribes=rare(0.3), messages=rare(0.2), emergencies=rare(0.1), logs_out=rare(0.1),
            boots=pick((0, 0, 0, 0, 1, 2)),
        )

    def plain_phone(self, wrong: str | None, length: float) -> Habits:
        """A phone about which everything is known and that does nothing unusual, so that a wrong is plain to see."""
        what = BY_RULE[wrong] if wrong is not None else Wrong("", "")
        pick = self.chance.choice
        mode = pick(what.modes)
        expires, timeout = pick((120, 300)), pick((60, 200)) if mode == "duration" else 3600
        habits = Habits(
            regime=pick(what.regimes), mode=mode, timeout=timeout, servers=names(max(what.servers, pick((2, 2, 3)))),
            length=length, expires=expires, ttl=(120, 120), wrong=wrong, arithmetic=pick((1, 2, 3)),
            calls=self.chance.uniform(40, 150), talk=pick((5.0, 40.0)), holds=self.rare(0.5), keeps_old=self.rare(0.5),
            t0_late=self.rare(0.5), wraps=self.rare(0.5), jitter=0.3,
        )
        return replace(habits, **what.habits)

    def _retries(self) -> Retries:
        """retryTimeOut in ms and retryMaxCount, mostly the defaults."""
        if self.rare(0.6):
            return {"retry_timeout": 0, "retry_count": 3}
        return {"retry_timeout": self.chance.choice((0, 0, 500, 1000, 2000)),
                "retry_count": self.chance.choice((0, 1, 2, 3, 6, 20))}

    def _names(self) -> Lives:
        """What is known of TTLs: nothing, a declared one, or the phone's own DNS."""
        if self.rare(0.1):
            return {"ttl": None, "ttl_seen": False}
        low = self.chance.choice((0, 20, 60, 120, 300))
        seen = self.rare(0.5)
        return {"ttl": (low, low + self.chance.choice((0, 60)) if seen else low), "ttl_seen": seen}
