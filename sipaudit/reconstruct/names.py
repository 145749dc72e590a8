"""What the capture's DNS answers say: names to addresses, and the chains of RFC 3263 (NAPTR, SRV, A and AAAA).

A bounded store of record sets, with a reverse index from targets to the sets that name them, so that the chain that
contains a server is found from the server's address.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import islice, product

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.reach import LONG_AGO
from sipaudit.model.settings import DEFAULT_PORTS, EntryServer
from sipaudit.reconstruct.records import (
    FAMILIES,
    Data,
    RecordSet,
    SetKey,
    family_of,
    plain_name,
    ranked,
    service_of,
    sets_of,
    srv_domain,
    srv_transport,
    target_of,
)
from sipaudit.sip.datagram import DnsMessage, DnsRecord

RECORDS = 64   # records read from one answer
MEMBERS = 32   # members stored of one record set
DEPTH = 8      # CNAMEs followed
CLIMB = 64     # names of an address, and sets that point at one of them, examined while searching its chains
OWNERS = 32    # sets examined as start of a chain to an address, the first learnt of many
ENDS = 8       # expiry times kept for one chain
CHANCES = 8    # sets of entries in use that are skipped when one must be evicted


class Chain(Struct, frozen=True):
    """An ordered list of servers as DNS gives it. `names` are all owners it was read from, `ends` the times when its
    records expire, in order; `disputed_until` and `known_to` as in record sets."""

    servers: tuple[EntryServer, ...]
    names: frozenset[str]
    ttl_low: int
    ttl_high: int
    ends: tuple[float, ...]
    disputed_until: float
    known_to: str


class _Trail:
    """The record sets used while resolving a chain."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self.sets: list[RecordSet] = []

    def use(self, name: str, records: RecordSet) -> None:
        self.names[name] = None
        self.sets.append(records)

    def chain(self, servers: Iterable[EntryServer]) -> Chain | None:
        """The chain of these servers, highest priority first; servers of one priority are ordered by address, because
        answers rotate their order."""
        ordered = sorted(servers, key=lambda server: (server.priority, server.key))
        if not ordered:
            return None
        return Chain(
            tuple(ordered), frozenset(self.names),
            min(records.ttl_low for records in self.sets), max(records.ttl_high for records in self.sets),
            tuple(sorted({records.time + records.ttl_low for records in self.sets}))[:ENDS],
            max(records.disputed_until for records in self.sets), self._known_to(),
        )

    def _known_to(self) -> str:
        """The one host known to use all these sets; empty if there is none."""
        knows = {records.known_to for records in self.sets if records.disputed_until > LONG_AGO}
        return knows.pop() if len(knows) == 1 else ""


class Names:
    """Record sets by owner and type; those not renewed for longest are evicted first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sets: dict[SetKey, RecordSet] = {}
        self._leads: dict[str, dict[SetKey, None]] = {}  # address or target -> the sets that name it
        self.pinned: set[str] = set()  # owners that an entry in use was read from: never forgotten
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._sets)

    def tighten(self, limit: int) -> None:
        """Apply a new bound from now on."""
        self._limit = limit
        free = [key for key in self._sets if key[0] not in self.pinned]
        for key in free[: max(len(self._sets) - limit, 0)]:
            self._drop(key)

    def learn(self, answer: DnsMessage) -> list[SetKey]:
        """Store an answer; returns the sets that are new or have other members than before."""
        return [key for key, records in sets_of(answer.records[:RECORDS]).items()
                if self._store(key, records[:MEMBERS], answer)]

    def _store(self, key: SetKey, records: list[DnsRecord], answer: DnsMessage) -> bool:
        data = tuple(record.data for record in records)
        ttls = [record.ttl for record in records]
        before = self._sets.pop(key, None)
        now = RecordSet(data, min(ttls), max(ttls), answer.time, answer.client)
        self._sets[key] = now if before is None else now.after(before)
        if before is not None and now.is_same_as(before):
            return False
        if before is not None:
            self._unlink(key, before)
        for member in data:
            self._leads.setdefault(target_of(key[1], member), {})[key] = None
        if len(self._sets) > self._limit:
            self._make_room(key)
        return True

    def _make_room(self, newest: SetKey) -> None:
        """Evict the set not renewed for longest, unless an entry was read from it. If CHANCES sets in a row belong to
        entries, evict the newest: a table full of them must not be scanned for each new set."""
        for _ in range(CHANCES):
            oldest = next(iter(self._sets))
            if oldest[0] not in self.pinned:
                self._drop(oldest)
                return
            self._sets[oldest] = self._sets.pop(oldest)
        if newest[0] not in self.pinned:
            self._drop(newest)

    def _drop(self, key: SetKey) -> None:
        self._unlink(key, self._sets.pop(key))
        self.evicted += 1

    def _unlink(self, key: SetKey, records: RecordSet) -> None:
        for member in records.data:
            target = target_of(key[1], member)
            pointing = self._leads.get(target, {})
            pointing.pop(key, None)
            if not pointing:
                self._leads.pop(target, None)

    def knows(self, name: str, kind: str) -> bool:
        """Whether records of this type, or a CNAME, were seen for a name."""
        return (name, kind) in self._sets or (name, "CNAME") in self._sets

    def targets(self, key: SetKey) -> list[str]:
        """The targets of a set: addresses, or names."""
        return [target_of(key[1], member) for member in self._data(key)]

    def name_of(self, address: str) -> str | None:
        """A name that has this address, the first seen."""
        return next((owner for owner, kind in self._leads.get(address, {}) if kind in FAMILIES), None)

    def addresses_of(self, name: str) -> list[str]:
        """All addresses that a name resolves to, following CNAMEs."""
        return [address for family in FAMILIES for address in self._addresses(name, family, _Trail())]

    def _addresses(self, name: str, family: str, trail: _Trail) -> list[str]:
        """The addresses of one family that a name resolves to, following CNAMEs; the sets used are added to the trail.
        """
        for _ in range(DEPTH):
            found = self._sets.get((name, family))
            if found is not None:
                trail.use(name, found)
                other = self._sets.get((name, "AAAA" if family == "A" else "A"))
                if other is not None:   # which of them sets the phone's timer is not known (B2)
                    trail.use(name, other)
                return [str(member) for member in found.data]
            alias = self._sets.get((name, "CNAME"))
            if alias is None:
                return []
            trail.use(name, alias)
            name = str(alias.data[0])
        return []

    def ranks(self, owner: str, families: Container[str]) -> list[frozenset[str]] | None:
        """The addresses to which an owner's SRV set leads, best priority first; None if there is no such set, or if a
        target has no known address. `families` are A and AAAA, or one of them."""
        listed: list[tuple[int, str]] = []
        for member in self._data((owner, "SRV")):
            priority, _, target = service_of(member)
            found = [address for address in self.addresses_of(target) if family_of(address) in families]
            if not found:
                return None
            listed += [(priority, address) for address in found]
        return ranked(listed) or None

    def _data(self, key: SetKey) -> tuple[Data, ...]:
        records = self._sets.get(key)
        return () if records is None else records.data

    def resolve(self, servers: Sequence[EntryServer], owners: Iterable[str] = ()) -> Chain | None:
        """The chain of declared servers: names without an address are resolved, and all addresses of a name share its
        priority (they take turns). It lives no longer than the SRV sets of the `owners`, which lead to these servers:
        by one of these the phone has them (B2). None if DNS says nothing about any of them."""
        trail = _Trail()
        resolved: list[EntryServer] = []
        for server in servers:
            found = []
            if server.name is not None:
                name = plain_name(server.name)
                found = self._addresses(name, "A", trail) or self._addresses(name, "AAAA", trail)
            if server.address is not None or not found:
                resolved.append(server)
            else:
                resolved += [_at(server, address) for address in sorted(found)]
        families = {family_of(server.address) for server in resolved if server.address is not None}
        lists = [self._srv_servers(owner, family, trail) for owner, family in product(owners, sorted(families))]
        if all(server.address is None for server in servers):
            resolved = _in_order_of(lists, resolved)
        return trail.chain(resolved) if trail.sets else None

    def chain_at(self, owner: SetKey, family: str, port: int, transport: str) -> Chain | None:
        """The chain that begins at an SRV set or at a name's addresses; `port` and `transport` are used for the latter.
        """
        trail = _Trail()
        name, kind = owner
        if kind == "SRV":
            return trail.chain(self._srv_servers(name, family, trail))
        return trail.chain(
            EntryServer(address, port, transport, 1, name) for address in self._addresses(name, family, trail)
        )

    def _srv_servers(self, owner: str, family: str, trail: _Trail) -> list[EntryServer]:
        """The servers that an SRV set lists (RFC 2782), one for each address of a target; the sets used are added to
        the trail."""
        records = self._sets.get((owner, "SRV"))
        if records is None:
            return []
        trail.use(owner, records)
        domain = srv_domain(owner)
        naptr = self._sets.get((domain, "NAPTR"))
        if naptr is not None and any(target_of("NAPTR", member) == owner for member in naptr.data):
            trail.use(domain, naptr)
        transport = srv_transport(owner)
        servers = []
        for member in records.data:
            priority, port, target = service_of(member)
            servers += [
                EntryServer(address, port or DEFAULT_PORTS[transport], transport, priority, target)
                for address in self._addresses(target, family, trail)
            ]
        return servers

    def owners_of(self, address: str, transport: str) -> Iterator[SetKey]:
        """The sets from which a chain leads to this address, at most OWNERS: SRV sets first, those of this transport
        before others, then names (aliases before the names they point to)."""
        climbed = list(islice(self._climb(address), OWNERS))
        srv = [key for key in climbed if key[1] == "SRV"]
        yield from sorted(srv, key=lambda key: srv_transport(key[0]) != transport)
        yield from (key for key in reversed(climbed) if key[1] != "SRV")

    def _climb(self, address: str) -> Iterator[SetKey]:
        """Walk from an address to its names, to their aliases, and to the SRV sets that list any of these."""
        kind = family_of(address)
        names = [owner for owner, type_ in islice(self._leads.get(address, {}), CLIMB) if type_ == kind]
        seen = dict.fromkeys(names)
        for name in names:  # grows while it is walked, CLIMB names at the most
            yield (name, kind)
            for owner, type_ in islice(self._leads.get(name, {}), CLIMB):
                if type_ == "SRV":
                    yield (owner, "SRV")
                elif type_ == "CNAME" and owner not in seen and len(seen) < CLIMB:
                    seen[owner] = None
                    names.append(owner)


def _in_order_of(lists: Iterable[list[EntryServer]], servers: list[EntryServer]) -> list[EntryServer]:
    """Order servers that are declared by name only, which phones look up, by the SRV list that leads to them; as
    declared if such lists for their transport differ, or if the list has other servers."""
    addresses, transports = {server.address for server in servers}, {server.transport for server in servers}
    orders = [{server.address: server.priority for server in listed} for listed in lists
              if listed and listed[0].transport in transports]
    if not orders or any(order != orders[0] for order in orders) or set(orders[0]) != addresses:
        return servers
    return [replace(server, priority=orders[0][server.address]) for server in servers]


def _at(server: EntryServer, address: str) -> EntryServer:
    return EntryServer(address, server.port, server.transport, server.priority, server.name)
