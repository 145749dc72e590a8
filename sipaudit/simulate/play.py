"""Plays a plan: sets up its servers and phones, and runs simulated time to the plan's end."""

from __future__ import annotations

import ipaddress
import random
from collections import Counter
from collections.abc import Callable
from functools import partial

from sipaudit.simulate.clock import NEVER, Clock
from sipaudit.simulate.message import Endpoint
from sipaudit.simulate.moments import at_moments
from sipaudit.simulate.network import Network
from sipaudit.simulate.phone.called import Called
from sipaudit.simulate.phone.device import Phone
from sipaudit.simulate.phone.habitual import OFF, begin
from sipaudit.simulate.phone.line import Line
from sipaudit.simulate.plan.values import Group, Incoming, Plan
from sipaudit.simulate.resolver import Lookup
from sipaudit.simulate.server import Server
from sipaudit.simulate.truth import Truth
from sipaudit.simulate.wire.sink import Sink
from sipaudit.simulate.wire.tap import Tap

FLUSHED_EVERY = 1.0   # seconds of simulated time between writes to the sink
FIRST_HOST = 11
NAT_PORT = 20_000
PLAIN = ("silent", "flapping", "unreachable")


class Play:
    """One run of a plan. `run` writes all packets into the sink, and passes TLS key log lines to `keys` if given."""

    def __init__(self, plan: Plan, sink: Sink, keys: Callable[[str], object] | None = None) -> None:
        self.plan = plan
        self.sink = sink
        self.clock = Clock()
        self.truth = Truth(plan)
        self.network = Network(self.clock, plan.network, Tap(plan.tap, sink, plan.seed), plan.seed, keys)
        places = {name: (server.address, server.port) for name, server in plan.servers.items()}
        self.servers = {
            name: Server(name, server, self.clock, self.network, plan.seed, plan.domain, places)
            for name, server in plan.servers.items()
        }
        self._chance = random.Random(f"phones {plan.seed}")
        self._numbers = 0
        self._hosts: Counter[str] = Counter()  # number of phones with an address, by network

    def run(self) -> Truth:
        for server in self.servers.values():
            self.network.attach(server.place, server)
            if server.plan.options_every:
                self.clock.begin(server.ping())
        for group in self.plan.phones:
            self._group(group)
        end, time = self.plan.duration, 0.0
        while time < end:
            time = min(end, time + FLUSHED_EVERY)
            self.clock.run(time)
            self.sink.flush(time)
        self.sink.flush(NEVER)
        return self.truth

    def _group(self, group: Group) -> None:
        network = group.network or "10.1.0.0/16"
        hosts = self._hosts[network]
        self._hosts[network] += group.count
        first = ipaddress.ip_network(network).network_address + FIRST_HOST + hosts
        span = (group.boot[0], group.boot[-1])
        for number in range(group.count):
            place = (str(first + number), 5060)
            phone = self._phone(group, number, place)
            if group.nat is not None:
                phone.wire = (group.nat, NAT_PORT + hosts + number)
            if group.count == 1 or span[0] == span[1]:
                start = span[0]
            else:
                start = span[0] + (span[1] - span[0]) * self._chance.random()
            self.clock.at(start, begin, phone)
            for time in group.reboot:
                self.clock.at(time, self._restart, phone)

    def _phone(self, group: Group, number: int, place: Endpoint) -> Phone:
        self._numbers += 1
        phone = Phone(group, self._numbers, place, self.clock, self.network, self.truth, self._chance)
        phone.on_request = Called(phone).take
        entry = self.plan.entries[group.entry]
        servers = [self.servers[name] for name in entry.servers]
        if entry.balanced:
            self._chance.shuffle(servers)  # each phone has its own first server (RFC 2782)
        if entry.name is not None:
            phone.look_up = Lookup(self.plan, entry, group.transport)
        plain = all(fault.kind in PLAIN for server in servers for fault in server.plan.faults)
        for place_ in range(group.lines):
            user = str(group.user + (0 if group.shared else number * group.lines) + place_)
            phone.lines[user] = self._line(phone, user, servers, entry.life, plain)
        return phone

    def _line(self, phone: Phone, user: str, servers: list[Server], ttl: float, plain: bool) -> Line:
        group, domain = phone.group, self.plan.domain
        line = Line(phone, user, domain, [server.place for server in servers], ttl, plain)
        if group.fallback is not None:
            second = self.plan.entries[group.fallback]
            places = [self.servers[name].place for name in second.servers]
            line.fallback = Line(phone, user, domain, places, second.life, False)
            line.fallback.wrongs.clear()
        self.truth.lines += 1
        for incoming in group.incoming:
            ring = partial(self._ring, line, servers, incoming)
            self.clock.begin(at_moments(incoming, self.clock, self._chance, ring))
        return line

    def _ring(self, line: Line, servers: list[Server], plan: Incoming) -> None:
        """A call arrives through the server that the plan names, or through the one where the line registered last."""
        if plan.server != "newest":
            self.servers[plan.server].ring(line.user, plan.seconds)
            return
        known = [(binding.granted, server) for server in servers if (binding := server.registrar.newest(line.user))]
        for _, server in sorted(known, key=lambda pair: -pair[0]):
            if server.ring(line.user, plan.seconds):
                return

    def _restart(self, phone: Phone) -> None:
        phone.vanish()
        self.clock.after(OFF[0] + (OFF[1] - OFF[0]) * self._chance.random(), self._again, phone)

    def _again(self, phone: Phone) -> None:
        if phone.group.new_address:
            address = ipaddress.ip_address(phone.place[0]) + self.plan.phones_in(phone.group.network) + 1
            phone.wire = phone.place = (str(address), 5060)
        for line in phone.lines.values():
            line.forget()
        begin(phone)
