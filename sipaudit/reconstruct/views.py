"""One server entry as DNS resolves it now, and the entries of a line.

Lines with the same entries share a *view*. A view's `revision` grows when DNS gives one of its entries another list; a
line notices at its next message, so that an answer costs nothing for the thousands of lines it may concern.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from sipaudit.model.reach import LONG_AGO
from sipaudit.model.settings import EntryServer, ServerEntry
from sipaudit.reconstruct.bounds import ENTRY_LISTS, ENTRY_NAMES
from sipaudit.reconstruct.names import Chain, Names
from sipaudit.reconstruct.records import SetKey, plain_name, serves, srv_domain
from sipaudit.sip.datagram import DnsMessage, Flow
from sipaudit.turned_away import turned_away

KEYS_KEPT = 1024  # destinations cached by one view


class EntryState:
    """One entry as it stands now. `owner` is the chain's, for an entry known from DNS alone; `names` are those whose
    answers concern it, `answer` the last such answer; `ends`, the TTLs, `disputed_until` and `known_to` are those of
    its last chain, empty before any; `changed` is the revision when its list last changed, `reordered` whether a list
    was known before; `said` are, for a declared entry, the last lists that SRV sets gave of its addresses, by owner,
    `turned` the owners of those in another order; `spoken` the transports by which phones have reached it; `doubtful`:
    DNS shows an address that the declared list lacks, or only lists that differ from it."""

    __slots__ = ("answer", "changed", "declared", "disputed_until", "doubtful", "ends", "entry", "family", "known_to",
                 "names", "owner", "port", "reordered", "said", "spoken", "transport", "ttl_high", "ttl_low", "turned")

    def __init__(self, entry: ServerEntry, owner: SetKey | None = None, family: str = "A", port: int = 0,
                 transport: str = "udp") -> None:
        self.declared = entry
        self.entry = entry
        self.owner = owner
        self.family = family
        self.port = port
        self.transport = transport
        self.names = _names(entry)
        self.ends: tuple[float, ...] = ()
        self.ttl_low = 0.0
        self.ttl_high = 0.0
        self.changed = 0
        self.reordered = False
        self.said: dict[str, list[frozenset[str]]] = {}
        self.turned = frozenset[str]()
        self.spoken = frozenset[str]()
        self.doubtful = False
        self.disputed_until = LONG_AGO
        self.known_to = ""
        self.answer: DnsMessage | None = None

    @property
    def services(self) -> list[str]:
        """The owners of SRV sets among its names."""
        return sorted(name for name in self.names if name.startswith("_"))

    def is_led_by(self, name: str) -> bool:
        """Whether this is the name of an SRV set that the entry was read from, or that leads to its declared servers.
        """
        return name.startswith("_") and name in self.names

    def chain(self, names: Names) -> Chain | None:
        """The entry's servers according to the answers so far; None if these say nothing about any."""
        if self.owner is None:
            return names.resolve(self.declared.servers, self.services[:ENTRY_LISTS])
        return names.chain_at(self.owner, self.family, self.port, self.transport)

    def take(self, chain: Chain, answer: DnsMessage | None, revision: int) -> None:
        """Set the entry to this chain; a list that differs counts as a change at this revision."""
        before = _content(self.entry)
        known = bool(self.ends) or any(server.address for server in self.entry.servers)
        self.entry = ServerEntry(
            self.declared.name, chain.servers, self.declared.proxy, self.declared.dns_ttl, self.declared.origin)
        self.read_from(chain.names)
        self.ends, self.ttl_low, self.ttl_high = chain.ends, chain.ttl_low, chain.ttl_high
        self.disputed_until, self.known_to = chain.disputed_until, chain.known_to
        self.answer = answer or self.answer
        if _content(self.entry) != before:
            self.changed = revision
            self.reordered = known

    def read_from(self, owners: frozenset[str]) -> None:
        """From now on answers for these names concern the entry, too."""
        names = self.names | owners
        if len(names) > ENTRY_NAMES:
            turned_away("entry-names", len(names) - ENTRY_NAMES)
            names = owners | _names(self.declared)
        self.names = names

    @property
    def transports(self) -> frozenset[str]:
        """The transports that are declared, or that phones use all the same."""
        return self.spoken.union(server.transport for server in self.entry.servers)

    def in_doubt(self, host: str, now: float, domain: str, ways: Sequence[Flow]) -> bool:
        """Whether the phone at this host, which uses these flows, may follow another list at that time: by the lists
        for its line's domain, if there are any and the entry is no proxy (RFC 3263 4.2), otherwise by any list."""
        if self.doubtful or (self.disputed_until > now and self.known_to != host):
            return True
        lists = [owner for owner in self.said if serves(owner, ways)] if self.turned else []
        own = [] if self.declared.proxy else [owner for owner in lists if srv_domain(owner) == domain]
        return not self.turned.isdisjoint(own or lists)


def _names(entry: ServerEntry) -> frozenset[str]:
    return frozenset(plain_name(server.name) for server in entry.servers if server.name)


def _content(entry: ServerEntry) -> set[tuple[str, int]]:
    return {(server.key, server.priority) for server in entry.servers}


def stands_for(server: EntryServer, name: str, addresses: Container[str | None]) -> bool:
    """Whether this is the server's name; for a server without a name, whether its address is among those of the name.
    """
    if server.name is None:
        return server.address in addresses
    return plain_name(server.name) == name


class View:
    """The entries of one or many lines, in fallback order. `declared`: by the site file, and DNS adds none.

    `entries` stays the same object while nothing changes: it is read with every message. `crossed`: one server is in
    two of the entries.
    """

    __slots__ = ("crossed", "declared", "entries", "hosts", "keys", "names", "revision", "states")

    def __init__(self, states: tuple[EntryState, ...], declared: bool, revision: int) -> None:
        self.states = states
        self.declared = declared
        self.revision = revision
        self.keys: dict[str, str] = {}
        self.entries: tuple[ServerEntry, ...] = ()
        self.hosts: frozenset[str | None] = frozenset()
        self.names: list[str] = []
        self.renew()

    def renew(self) -> None:
        """Update the entries from their states."""
        self.entries = tuple(state.entry for state in self.states)
        self.names = [entry.name for entry in self.entries]   # one list for all lines, used in reports
        self.hosts = frozenset(server.address for entry in self.entries for server in entry.servers)
        listed = [{server.key for server in entry.servers} for entry in self.entries]
        self.crossed = sum(map(len, listed)) > len(set().union(*listed))

    def in_doubt(self, host: str, now: float, domain: str, ways: Sequence[Flow]) -> bool:
        """Whether the phone at this host, with a line of this domain, may follow another list at that time."""
        return any(state.in_doubt(host, now, domain, ways) for state in self.states)

    def key(self, address: str, host: str, port: int) -> str:
        """The server at `host:port`: the entry's key if an entry has it, otherwise the address as seen."""
        key = self.keys.get(address)
        if key is None:
            key = self.find(host, port) or address
            if len(self.keys) >= KEYS_KEPT:
                self.keys.clear()
            self.keys[address] = key
        return key

    def find(self, host: str, port: int) -> str | None:
        """The key of the entries' server at this address, None if there is none."""
        for state in self.states:
            server = state.entry.find(host, port)
            if server is not None:
                return server.key
        return None

    def named(self, name: str, addresses: Container[str | None]) -> Iterator[str]:
        """Keys of the servers that this name stands for: by a server's own name; all servers of a chain by its owner's
        name, and of a declared entry by the SRV sets that lead to it; a server declared without a name, if its address
        is among these `addresses`."""
        for state in self.states:
            whole = state.is_led_by(name) if state.owner is None else (
                name in (state.owner[0], srv_domain(state.owner[0])))
            for server in state.entry.servers:
                if whole or stands_for(server, name, addresses):
                    yield server.key
