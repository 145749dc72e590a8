"""Lives of phones that keep all rules, as packets: several lines, challenges, late answers, old calls, keepalives.

Where the advisory leaves a choice, the choice is random. `Life` implements the behaviour that the specification
describes, independently of the model that judges it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from sipaudit.capture.write import Endpoint
from tests.stories import CHALLENGE, CREDENTIALS, GIVES_UP, RETRANSMITTED, Asked, Handset, P, S, Settings, Story, T

OVERLAP = 60
KNOWN_DEAD = 30.0   # seconds for which a phone's other lines rely on a failure that one of them has detected


@dataclass
class World:
    """Outages of each server: (from, to, how), where `how` is silence, icmp or 503."""

    outages: dict[Endpoint, list[tuple[float, float, str]]]

    def fate(self, server: Endpoint, now: float) -> str:
        return next((how for start, end, how in self.outages.get(server, []) if start <= now < end), "up")


def world(chance: random.Random, seconds: float) -> World:
    """Servers that fail one after the other, and come back."""
    outages: dict[Endpoint, list[tuple[float, float, str]]] = {}
    now = chance.uniform(20, 200)
    while now < seconds:
        end = now + chance.uniform(5, 250)
        outages.setdefault(chance.choice([P, P, S, T]), []).append(
            (now, end, chance.choice(["silence", "silence", "icmp", "503"])))
        now = end + chance.uniform(10, 200)
    return World(outages)


@dataclass
class Line:
    """One line of the phone: where it works and since when, its bindings, the calls it has up."""

    handset: Handset
    working: int = 0
    moved: float = 0.0
    bound: dict[int, float] = field(default_factory=dict)
    calls: list[tuple[float, Asked, int]] = field(default_factory=list)
    renews: float = 0.0
    next_call: float = 0.0
    next_try: float = 0.0


@dataclass
class Life:
    """A phone with its lines in a world of servers that fail."""

    settings: Settings
    servers: list[Endpoint]
    world: World
    chance: random.Random
    expires: int = 120
    ttl: int = 60
    story: Story = field(default_factory=Story)
    now: float = 0.0
    lines: list[Line] = field(default_factory=list)
    dead: dict[int, float] = field(default_factory=dict)
    boots: int = 0

    @property
    def gated(self) -> bool:
        return bool(self.settings["reRegisterOn"] == 1)

    @property
    def drops(self) -> bool:
        return self.gated and self.settings["failRegistrationOn"] == 1

    @property
    def mode(self) -> str:
        return str(self.settings["failBack.mode"])

    def live(self, seconds: float, lines: int) -> Story:
        self.lines = [Line(Handset(self.story, user=str(1001 + index), granted=self.expires, asks=self.expires))
                      for index in range(lines)]
        for line in self.lines:
            self.start(line)
        while self.now < seconds:
            self.now += 0.5
            for line in self.lines:
                self.pass_time(line)
            if self.chance.random() < 0.0005:
                self.boot()
        return self.story

    def start(self, line: Line) -> None:
        """The first registration, at the head of the list."""
        line.working, line.bound, line.calls = 0, {}, []
        if not self.register(line, 0):
            self.fail_over(line, "REGISTER")
        line.next_call = self.now + self.chance.uniform(5, 60)

    def boot(self) -> None:
        """The phone falls silent, then starts anew and remembers nothing."""
        self.now += 25
        self.boots += 1
        self.dead.clear()
        for line in self.lines:
            line.handset.registration = f"boot{self.boots}-{line.handset.user}"
            self.start(line)

    def pass_time(self, line: Line) -> None:
        for call in [call for call in line.calls if call[0] <= self.now]:
            line.calls.remove(call)
            self.hang_up(line, call)
        if self.now >= line.renews:
            self.renew(line)
        elif self.drops and line.working and self.mode in ("DNSTTL", "duration") and self.due(line) \
                and self.now >= line.next_try and not any(other.calls for other in self.lines):
            self.go_back(line)
        elif self.now >= line.next_call:
            self.call(line)
            line.next_call = self.now + self.chance.uniform(5, 90)
        elif self.chance.random() < 0.004:
            self.ping(line, self.chance.randrange(len(self.servers)))

    # -- one request: True when it got a 2xx

    def ask(self, line: Line, index: int, method: str, **said: str) -> tuple[bool, Asked]:
        server, phone = self.servers[index], line.handset
        if method == "REGISTER" and "headers" not in said and self.chance.random() < 0.8:
            asked = phone.ask(self.now, server, method, expires=self.expires)
            if self.world.fate(server, self.now) == "up":
                phone.told(self.now + 0.01, asked, 401, headers=CHALLENGE)
                self.now += 0.02
                return self.ask(line, index, method, headers=CREDENTIALS)
        else:
            expires = self.expires if method == "REGISTER" else None
            asked = phone.ask(self.now, server, method, expires=expires, **said)
        return self.outcome(line, index, asked), asked

    def outcome(self, line: Line, index: int, asked: Asked) -> bool:
        phone, server = line.handset, self.servers[index]
        fate = self.world.fate(server, self.now)
        if fate == "503":
            phone.told(self.now + 0.02, asked, 503)
            self.now += 0.03
        elif fate == "icmp":
            phone.story.unreachable(self.now + 0.005, asked.packet, server, phone.place)
            self.now += 0.01
        elif fate == "silence":
            for step in RETRANSMITTED[1:]:
                phone.again(self.now + step, asked)
            if self.chance.random() < 0.2:  # too late: the phone has moved on
                self.answer(line, self.now + GIVES_UP + self.chance.uniform(0.1, 20), asked)
            self.now += GIVES_UP
        else:
            slow = self.chance.random() < 0.1
            if slow:
                phone.again(self.now + 0.5, asked)
                phone.again(self.now + 1.5, asked)
            self.now += 2.5 if slow else 0.02
            self.answer(line, self.now, asked)
            self.now += 0.01
            self.dead.pop(index, None)
            return True
        self.dead[index] = self.now
        return False

    def answer(self, line: Line, time: float, asked: Asked) -> None:
        own = f"Contact: <{line.handset.contact}>;expires={self.expires}\r\n"
        line.handset.told(time, asked, 200, headers=own if asked.method == "REGISTER" else "")

    def register(self, line: Line, index: int) -> bool:
        well, _ = self.ask(line, index, "REGISTER")
        if well:
            line.bound[index] = self.now
            line.renews = self.now + self.renewal()
        return well

    def renewal(self) -> float:
        return self.expires - OVERLAP if self.expires > OVERLAP else self.expires / 2

    def invite(self, line: Line, index: int) -> bool:
        well, asked = self.ask(line, index, "INVITE")
        if well:
            line.handset.acknowledge(self.now, asked)
            line.calls.append((self.now + self.chance.uniform(2, 60), asked, index))
        return well

    def ping(self, line: Line, index: int) -> None:
        """A keepalive, from which the phone learns nothing."""
        asked = line.handset.ask(self.now, self.servers[index], "OPTIONS")
        if self.world.fate(self.servers[index], self.now) == "up":
            line.handset.told(self.now + 0.01, asked, 200)
        self.now += 0.02

    def hang_up(self, line: Line, call: tuple[float, Asked, int]) -> None:
        """Send BYE to the call's server; in R2 not to a server that the line has left."""
        _, asked, index = call
        if self.drops and index != line.working:
            return
        line.handset.hang_up(self.now, asked, answered=self.world.fate(self.servers[index], self.now) == "up")
        self.now += 0.02

    # -- failover and failback

    def due(self, line: Line) -> bool:
        if self.mode == "newRequests":
            return True
        if self.mode == "registration":
            base = line.bound.get(line.working, 0.0) if self.gated else max(line.bound.values(), default=0.0)
            return self.now >= base + self.renewal()
        return self.now >= line.moved + (self.settings["failBack.timeout"] if self.mode == "duration" else self.ttl)

    def go_back(self, line: Line) -> bool:
        """REGISTER at the primary; after a failed try the next follows after the whole delay."""
        line.next_try = self.now + 60
        if not self.register(line, 0):
            line.renews = max(line.renews, self.now + 0.5)
            return False
        line.working, line.moved = 0, self.now
        return True

    def renew(self, line: Line) -> None:
        index = line.working
        if self.gated and not self.drops and self.chance.random() < 0.5:
            for other in [other for other in line.bound if other != index]:  # F7: it may be kept, or let lapse
                if self.now >= line.bound[other] + self.renewal():
                    until = line.renews
                    self.register(line, other)
                    line.renews = until
        if self.drops and index and self.mode in ("registration", "newRequests") and self.go_back(line):
            return
        if not self.gated and index and self.chance.random() < 0.5 and self.refresh(line):
            return
        if not self.register(line, index):
            self.fail_over(line, "REGISTER")
        line.renews = max(line.renews, self.now + 0.5)

    def refresh(self, line: Line) -> bool:
        """R0: the renewal may go to the primary; while the binding there lives, that does not move the line."""
        lives = self.now < line.bound.get(0, -1e9) + self.expires
        if not self.register(line, 0):
            return False
        if not lives:
            line.working, line.moved = 0, self.now
        return True

    def call(self, line: Line) -> None:
        if line.working and self.due(line):
            if self.drops:
                if self.mode == "newRequests":
                    self.go_back(line)
            elif self.invite(line, 0):
                line.working, line.moved = 0, self.now
                return
        known_dead = self.now - self.dead.get(line.working, -1e9) < KNOWN_DEAD and self.chance.random() < 0.5
        if known_dead or not self.invite(line, line.working):
            self.fail_over(line, "INVITE")

    def fail_over(self, line: Line, method: str) -> None:
        """Try the next servers in order, wrapping around; with reRegisterOn the line registers at each before anything
        else."""
        for step in range(1, len(self.servers)):
            index = (line.working + step) % len(self.servers)
            if self.gated or method == "REGISTER":
                if not self.register(line, index):
                    continue
            elif not self.invite(line, index):
                continue
            line.working, line.moved = index, self.now
            if self.gated and method == "INVITE":
                self.invite(line, index)
            return
        line.renews = max(line.renews, self.now + self.chance.uniform(30, 60))
