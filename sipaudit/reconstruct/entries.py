"""The server entries of lines: declared ones, resolved by the capture's DNS, and DNS chains (one entry: `views`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from sipaudit.model.settings import DEFAULT_PORTS, ServerEntry
from sipaudit.reconstruct.bounds import ENTRY_LISTS, NAME_ENTRIES, VIEW_ENTRIES
from sipaudit.reconstruct.names import Chain, Names
from sipaudit.reconstruct.records import SetKey, contradict, family_of, plain_name, ranked, srv_domain, srv_transport
from sipaudit.reconstruct.room import Room
from sipaudit.reconstruct.views import EntryState, View
from sipaudit.sip.datagram import DnsMessage, Flow
from sipaudit.turned_away import has_room, turned_away


class Entries:
    """All entries in use, declared and learnt, and the views of lines on them.

    At most `limit` learnt entries are stored: those that no line uses are evicted, where `used` returns the views of
    lines; `evicted` counts them.
    """

    def __init__(self, declared: Mapping[str, ServerEntry], names: Names, limit: int) -> None:
        self._names = names
        self._room = Room(limit)
        self._most = 4 * limit + 4 * sum(len(entry.servers) + 1 for entry in declared.values())
        self.used: Callable[[], Iterable[View]] = tuple
        self._declared = {name: EntryState(entry) for name, entry in declared.items()}
        self._chains: dict[tuple[SetKey, str, int, str], EntryState] = {}
        self._by_name: dict[str, dict[EntryState, None]] = {}
        self._views: dict[tuple[EntryState, ...], View] = {}
        self._views_of: dict[EntryState, list[View]] = {}
        self._revision = 0
        self.hosts: dict[str, None] = {}      # addresses of servers of entries
        self.endpoints: dict[str, None] = {}  # their host:port
        self.open = View((), False, 0)
        for state in self._declared.values():
            self._index(state)

    def declare(self, declared: Mapping[str, ServerEntry]) -> None:
        """Replace the declared entries; those that are unchanged keep what DNS said of them."""
        known, self._declared = self._declared, {}
        for name, entry in declared.items():
            state = known.get(name)
            self._declared[name] = state if state is not None and state.declared == entry else EntryState(entry)
        for table in (self._views, self._views_of, self._by_name, self.hosts, self.endpoints):
            table.clear()
        for state in self.states():
            self._index(state)

    def states(self) -> Iterator[EntryState]:
        """Declared entries first, then chains in the order they came into use."""
        yield from self._declared.values()
        yield from self._chains.values()

    def view(self, names: Iterable[str]) -> View:
        """The view of a line that declares these entries; the open view if it declares none."""
        states = tuple(self._declared[name] for name in names if name in self._declared)
        return self._view(states, declared=True) if states else self.open

    @property
    def evicted(self) -> int:
        """How many learnt entries were evicted, or not stored, because there were too many."""
        return self._room.evicted

    def tighten(self, limit: int) -> None:
        """Apply a new bound from now on."""
        self._room.limit = limit
        if len(self._chains) > limit:
            self._room.evicted += self._shed()

    def _view(self, states: tuple[EntryState, ...], declared: bool) -> View:
        if states not in self._views:
            if len(self._views) >= self._most:
                self._keep_used()
            self._views[states] = View(states, declared, self._revision)
            self._index_view(self._views[states])
        return self._views[states]

    def with_chain(self, view: View, flow: Flow) -> View:
        """The view of an undeclared line that uses this flow's server, extended by the chain (of at least two
        addresses) that contains the server, if DNS showed one."""
        host = flow.destination_host
        if view.declared or host in view.hosts:
            return view
        if not has_room(view.states, VIEW_ENTRIES, "phone-state"):
            return view
        state = self._chain_of(host, flow.destination_port, flow.transport)
        return view if state is None else self._view((*view.states, state), declared=False)

    def _chain_of(self, host: str, port: int, transport: str) -> EntryState | None:
        """The entry, known or learnt now, of the chain that leads to this address; a single address is no chain."""
        family = family_of(host)
        for owner in self._names.owners_of(host, transport):
            at = (port, transport) if owner[1] != "SRV" else (0, "")
            key = (owner, family, *at)
            if key in self._chains:
                return self._chains[key]
            chain = self._names.chain_at(owner, family, port, transport)
            if chain is not None and len({server.address for server in chain.servers}) > 1:
                if self._is_everywhere(chain) or not self._room.admits(len(self._chains), self._shed):
                    return None
                return self._learnt(key, chain, port, transport)
        return None

    def _is_everywhere(self, chain: Chain) -> bool:
        """Whether a chain shares a name with so many entries that an answer for that name would concern too many."""
        common = any(len(self._by_name.get(name, ())) >= NAME_ENTRIES for name in chain.names)
        if common:
            turned_away("entry-names")
        return common

    def _learnt(self, key: tuple[SetKey, str, int, str], chain: Chain, port: int, transport: str) -> EntryState:
        owner, family = key[:2]
        entry = ServerEntry(srv_domain(owner[0]), (), origin="dns")
        state = EntryState(entry, owner, family, port or DEFAULT_PORTS.get(transport, 5060), transport)
        state.take(chain, None, self._revision)
        self._chains[key] = state
        self._index(state)
        return state

    def _shed(self) -> int:
        """Evict the learnt entries that no line uses; returns how many."""
        before = len(self._chains)
        used = {state for view in self.used() for state in view.states}
        self._chains = {key: state for key, state in self._chains.items() if state in used}
        self._keep_used()
        return before - len(self._chains)

    def _keep_used(self) -> None:
        """Rebuild the indexes from what is in use."""
        states, used = list(self.states()), set(self.used())
        kept = set(states)
        self._views = {key: view for key, view in self._views.items()
                       if kept.issuperset(key) and (view.declared or view in used)}
        for index in (self._views_of, self._by_name, self.hosts, self.endpoints, self._names.pinned):
            index.clear()
        for view in self._views.values():
            self._index_view(view)
        for state in states:
            self._index(state)
        self._most = max(self._most, 2 * len(self.hosts), 2 * len(self._by_name), 2 * len(self._views))

    def learn(self, answer: DnsMessage, seen: Mapping[str, object]) -> list[EntryState]:
        """Store a DNS answer; `seen` are the hosts of servers seen. Returns the entries it concerns."""
        changed = self._names.learn(answer)
        owners = dict.fromkeys([answer.name, *(record.name for record in answer.records[:64])])
        touched = dict.fromkeys(state for owner in owners for state in self._by_name.get(owner, ()))
        for state in touched:
            self._refresh(state, answer)
        for state in list(self._led_to(changed)):
            if state not in touched:
                touched[state] = None
                self._refresh(state, answer)
        for state in touched:
            if state.owner is None:
                self._compare(state)
        if any(self._reaches(key, seen) for key in changed):
            self._revision += 1
            self.open.revision = self._revision
        return list(touched)

    def _refresh(self, state: EntryState, answer: DnsMessage) -> None:
        """Resolve an entry again; lines notice a changed list by their views' revision."""
        chain = state.chain(self._names)
        if chain is None:
            return
        state.take(chain, answer, self._revision + 1)
        self._index(state)
        if max(len(self.hosts), len(self._by_name)) > self._most:
            self._keep_used()
        changed = state.changed > self._revision
        self._revision += changed
        for view in self._views_of.get(state, ()):
            view.renew()
            if changed:
                view.revision = self._revision
                view.keys.clear()

    def _led_to(self, changed: Iterable[SetKey]) -> Iterator[EntryState]:
        """The declared entries with addresses to which these record sets lead: from now on answers for their SRV sets
        concern them."""
        found = {address for key in changed for address in self._addresses_at(key) if address in self.hosts}
        for state in self._declared.values() if found else ():
            addresses = [server.address for server in state.entry.servers if server.address in found]
            owners = frozenset(owner for address in addresses for owner, kind in self._names.owners_of(address, "udp")
                               if kind == "SRV")
            if owners - state.names:
                state.read_from(owners)
                self._index(state)
            if owners:
                yield state

    def _addresses_at(self, key: SetKey) -> list[str]:
        """The addresses to which a record set leads: its own, or those of its targets."""
        targets = self._names.targets(key)
        return [address for target in targets for address in self._names.addresses_of(target)] if key[1] == "SRV" else (
            targets)

    def _compare(self, state: EntryState) -> None:
        """Compare DNS with a declared list. A different list puts the declared one in doubt (assumption
        list-as-resolved); a list that differs from DNS's previous one is a legitimate change of the list
        (reference-model.md 5, *premature-failback*)."""
        told = self._lists_of(state)
        lists = {owner: said for owner, said in told.items() if srv_transport(owner) in state.transports}
        declared = ranked((one.priority, one.address) for one in state.entry.servers if one.address is not None)
        another = bool(lists) and declared not in lists.values()
        state.doubtful = state.doubtful or another or self._shows_others(state)
        if any(state.said.get(owner, said) != said for owner, said in lists.items()):
            state.reordered = True
            self._changed(state)
        known = state.said | told   # an owner gives no list while its targets' addresses are missing
        state.said = {owner: said for owner, said in known.items() if owner in state.names}
        state.turned = frozenset(owner for owner, said in state.said.items() if contradict(said, declared))

    def _lists_of(self, state: EntryState) -> dict[str, list[frozenset[str]]]:
        """The ordered lists that SRV sets give of an entry's addresses, by owner; owners for the entry's transports
        first."""
        families = {family_of(server.address) for server in state.entry.servers if server.address is not None}
        owners = sorted(state.services, key=lambda name: srv_transport(name) not in state.transports)
        lists = ((name, self._names.ranks(name, families)) for name in owners[:ENTRY_LISTS])
        return {name: said for name, said in lists if said}

    def _changed(self, state: EntryState) -> None:
        """The entry's list has changed; its lines notice at their next message."""
        self._revision += 1
        state.changed = self._revision
        for view in self._views_of.get(state, ()):
            view.revision = self._revision

    def _shows_others(self, state: EntryState) -> bool:
        """Whether DNS gives a declared server's name an address that the entry does not have."""
        listed = {server.address for server in state.entry.servers}
        return any(
            address not in listed
            for server in state.declared.servers if server.address is not None and server.name is not None
            for address in self._names.addresses_of(plain_name(server.name))
            if family_of(address) == family_of(server.address)
        )

    def _reaches(self, key: SetKey, seen: Mapping[str, object]) -> bool:
        """Whether a record set leads to the host of a server that was seen."""
        return any(address in seen for address in self._addresses_at(key))

    def _index_view(self, view: View) -> None:
        for state in view.states:
            self._views_of.setdefault(state, []).append(view)

    def _index(self, state: EntryState) -> None:
        for name in state.names:
            self._by_name.setdefault(name, {})[state] = None
        for server in state.entry.servers:
            if server.address is not None:
                self.hosts[server.address] = None
                self.endpoints[server.key] = None
        self._names.pinned |= state.names
