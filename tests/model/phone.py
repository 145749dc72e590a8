"""A phone that does what the advisory says, as a source of model events: the perfect phone of the properties.

Written from the specification as behaviour, apart from the model it tests.
`Habits` are its settings; `impatient` and `careless` make it break B2-B4 and F6.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from sipaudit.model.events import Answered, Failed, FailureKind, ModelEvent, Resent, Sent

STEPS = (0.5, 1.0, 2.0)   # retransmissions of an unanswered request, seconds after the one before
GIVES_UP = 5.5
OVERLAP = 60


@dataclass
class Habits:
    re_register: bool
    fail_registration: bool
    mode: str
    timeout: int = 60
    ttl: int = 120
    expires: int = 300
    impatient: bool = False
    careless: bool = False


@dataclass
class Network:
    """When each server cannot be reached: (from, to, how) with how silent, icmp or 503."""

    outages: dict[str, list[tuple[float, float, str]]]

    def fate(self, server: str, now: float) -> str:
        return next((how for start, end, how in self.outages.get(server, []) if start <= now < end), "up")


@dataclass
class Phone:
    habits: Habits
    network: Network
    servers: list[str]
    now: float = 0.0
    events: list[ModelEvent] = field(default_factory=list)
    working: int = 0
    moved: float = 0.0
    granted: dict[int, float] = field(default_factory=dict)
    invalid: set[int] = field(default_factory=set)
    number: int = 0
    early: list[float] = field(default_factory=list)
    ungated: list[float] = field(default_factory=list)

    # -- one request at one server: True when it got a 2xx

    def request(self, index: int, method: str) -> bool:
        self.number += 1
        number, server, begun = self.number, self.servers[index], self.now
        expires = float(self.habits.expires) if method == "REGISTER" else None
        self._say(Sent(self.now, 0, self.number, 0, 0, server, method, number, expires=expires))
        fate = self.network.fate(server, self.now)
        if fate == "up":
            self.now += 0.05
            self._answer(server, method, number, 200, begun, expires)
            if method == "REGISTER":
                self.granted[index] = self.now
                self.invalid.discard(index)
            return True
        if fate == "503":
            self.now += 0.05
            self._answer(server, method, number, 503, begun, expires)
        elif fate == "icmp":
            self.now += 0.01
            self._say(Failed(self.now, 0, self.number, 0, 0, server, FailureKind.ICMP, begun, number))
        else:
            for step in STEPS:
                self.now += step
                self._say(Resent(self.now, 0, self.number, 0, 0, server, method, number))
            self.now = begun + GIVES_UP
        return False

    def _answer(self, server: str, method: str, number: int, status: int, begun: float, asked: float | None) -> None:
        granted = asked if status == 200 else None
        self._say(Answered(self.now, 0, number, 0, 0, server, method, number, status, sent=begun, granted=granted,
                           own=True, asked=asked))

    def _say(self, event: ModelEvent) -> None:
        self.events.append(event)

    # -- behaviour

    def renewal(self, index: int) -> float:
        expires = self.habits.expires
        return self.granted.get(index, 0.0) + (expires - OVERLAP if expires > OVERLAP else expires / 2)

    def due(self) -> bool:
        """Whether the primary is first again for a new request."""
        if self.working == 0 or self.habits.mode == "newRequests":
            return True
        if self.habits.mode == "registration":
            base = self.working if self.habits.re_register else max(self.granted, key=lambda at: self.granted[at])
            return self.now >= self.renewal(base)
        delay = self.habits.timeout if self.habits.mode == "duration" else self.habits.ttl
        return self.now >= self.moved + delay

    def wants_back(self) -> bool:
        return self.due() or self.habits.impatient

    def register(self) -> None:
        """The renewal of the registration, with failback and failover as they fall due."""
        gated = self.habits.re_register and self.habits.fail_registration
        ready = self.wants_back() if gated else self.due() and not self.habits.re_register
        if self.working and ready and self.first_try("REGISTER"):
            return
        if not self.request(self.working, "REGISTER"):
            self.fail_over("REGISTER")

    def call(self) -> None:
        if self.working and self.wants_back():
            if self.habits.re_register and self.habits.fail_registration:
                self.first_try("REGISTER")
            elif self.first_try("INVITE"):
                return
        if not self.request(self.working, "INVITE"):
            self.fail_over("INVITE")

    def first_try(self, method: str) -> bool:
        """A try at the primary; in R2 and R3 it is a REGISTER, and the line moves only by its 200 (B6)."""
        if not self.due():
            self.early.append(self.now)
        if not self.request(0, method):
            return False
        self._move(0)
        return True

    def fail_over(self, method: str) -> None:
        """To the next servers in order, wrapping; with reRegisterOn each is registered with first (F6)."""
        for step in range(1, len(self.servers)):
            index = (self.working + step) % len(self.servers)
            if self.habits.careless and self.habits.re_register and method == "INVITE":
                self.ungated.append(self.now)
                self.request(index, "INVITE")
            if self.habits.re_register and not self.request(index, "REGISTER"):
                continue
            if (method != "REGISTER" or not self.habits.re_register) and not self.request(index, method):
                if self.habits.re_register:
                    self._move(index)  # it did register: the 200 made it the working server (F6)
                continue
            self._move(index)
            return

    def _move(self, index: int) -> None:
        self.working, self.moved = index, self.now


def live(phone: Phone, seconds: float, seed: int) -> list[ModelEvent]:
    """The phone's events over so many seconds, with calls at random times."""
    chance = random.Random(seed)
    phone.request(0, "REGISTER")
    next_call = phone.now + chance.uniform(5, 120)
    while phone.now < seconds:
        renewal = max(phone.renewal(phone.working), phone.now + 30.0 if not phone.granted else 0.0)
        retry = phone.now + chance.uniform(30, 60)
        register_at = renewal if renewal > phone.now else retry
        if next_call <= register_at:
            phone.now = max(phone.now, next_call)
            phone.call()
            next_call = phone.now + chance.uniform(5, 120)
        else:
            phone.now = register_at
            phone.register()
    return phone.events
