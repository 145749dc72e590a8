"""Name resolution of a phone: the DNS queries and answers of one lookup, as the tap sees them."""

from __future__ import annotations

from sipaudit.simulate.phone.device import Phone
from sipaudit.simulate.plan.values import EntryPlan, Plan
from sipaudit.simulate.wire.names import answer, chain, numbered, query

RESOLVERS = {4: "10.0.0.53", 6: "2001:db8::53"}
FIRST_PORT = 50_000


class Lookup:
    """The DNS lookup of a phone of this entry; calling it with the phone sends the packets and returns the TTL in
    seconds."""

    def __init__(self, plan: Plan, entry: EntryPlan, transport: str) -> None:
        hosts = [(f"{name}.{plan.domain}", plan.servers[name].address, plan.servers[name].port)
                 for name in entry.servers]
        self._ttl = entry.ttl
        self._steps = [
            (query(owner, kind), answer(owner, kind, entry.ttl, values))
            for owner, kind, values in chain(entry.name or "", transport, hosts, entry.balanced)
        ]
        self._asked = 0

    def __call__(self, phone: Phone) -> float:
        resolver = (RESOLVERS[6 if ":" in phone.wire[0] else 4], 53)
        network = phone.network
        for place, (question, reply) in enumerate(self._steps):
            self._asked += 1
            own = (phone.wire[0], FIRST_PORT + self._asked % 10_000)
            network.send_raw(own, resolver, numbered(question, self._asked), place * 0.004)
            network.send_raw(resolver, own, numbered(reply, self._asked), place * 0.004 + 0.002)
        return float(self._ttl)
