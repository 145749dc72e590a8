"""Servers seen, and the addresses that behave like servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sipaudit.model.settings import EntryServer, ServerEntry
from sipaudit.reconstruct.entries import Entries
from sipaudit.reconstruct.names import Names
from sipaudit.reconstruct.room import Room
from sipaudit.reconstruct.views import View
from sipaudit.sip.datagram import Flow, endpoint, host_of


class Server:
    """A server that phones sent SIP to, or received SIP from: its key, host, and transports in order of first use."""

    __slots__ = ("entry", "host", "key", "name", "priority", "transports")

    def __init__(self, key: str, host: str) -> None:
        self.key = key
        self.host = host
        self.transports: list[str] = []
        self.name: str | None = None
        self.entry: ServerEntry | None = None
        self.priority: int | None = None


class Servers:
    """Every server seen, and the addresses that behave like servers.

    When there are too many, those of no entry that no line uses are evicted (`used` returns the used ones, by key and
    by `host:port`); `evicted` counts them and those that found no room.
    """

    __slots__ = ("_entries", "_names", "_registrar_hosts", "_registrars_room", "_relays_room", "_room", "_seen",
                 "hosts", "knows", "registrars", "relays", "used")

    def __init__(self, entries: Entries, names: Names, limit: int) -> None:
        self._entries = entries
        self._names = names
        self._seen: dict[str, Server] = {}
        self.knows = self._seen.__contains__        # whether a server of this key was seen
        self.hosts: dict[str, list[str]] = {}       # host -> keys of its servers
        self.registrars: dict[str, None] = {}       # host:port
        self.relays: dict[str, None] = {}           # host:port of those that challenge or forward calls
        self._registrar_hosts: dict[str, None] = {}
        self._room, self._registrars_room, self._relays_room = Room(limit), Room(limit), Room(limit)
        self.used: Callable[[], set[str]] = set

    @property
    def evicted(self) -> int:
        return self._room.evicted + self._registrars_room.evicted + self._relays_room.evicted

    def __len__(self) -> int:
        return len(self._seen)

    def note(self, key: str, flow: Flow) -> None:
        """A phone used the server at the far end of its flow."""
        server = self._seen.get(key)
        if server is None:
            if not self._room.admits(len(self._seen), self._shed):
                return
            server = self._seen[key] = Server(key, flow.destination_host)
            self.hosts.setdefault(flow.destination_host, []).append(key)
        if flow.transport not in server.transports:
            server.transports.append(flow.transport)

    def declared(self, key: str) -> str | None:
        """The transport that an entry lists for the server, whether it was seen or not."""
        return next((member.transport for _, member in self._listed() if member.key == key), None)

    def connects(self, key: str) -> bool:
        """Whether phones used the server over connections only (no UDP)."""
        server = self._seen.get(key)
        return server is not None and "udp" not in server.transports

    def registered(self, flow: Flow) -> None:
        """The far end of a phone's flow answered a REGISTER as registrars do."""
        if self._registrars_room.admits(len(self.registrars), self._shed_registrars):
            self.registrars[flow.destination] = None
            self._registrar_hosts[flow.destination_host] = None

    def relayed(self, address: str) -> None:
        """This `host:port` handles calls like a server: weaker evidence, valid until a REGISTER from there is granted.
        """
        if self._relays_room.admits(len(self.relays), self._shed_relays):
            self.relays[address] = None

    def tighten(self, limit: int) -> None:
        """Apply a new bound from now on."""
        for room, table, shed in ((self._room, self._seen, self._shed),
                                  (self._registrars_room, self.registrars, self._shed_registrars),
                                  (self._relays_room, self.relays, self._shed_relays)):
            room.limit = limit
            if len(table) > limit:
                room.evicted += shed()

    def _shed(self) -> int:
        used = self.used()
        gone = [key for key in self._seen if key not in used and key not in self._entries.endpoints]
        for key in gone:
            server = self._seen.pop(key)
            keys = self.hosts[server.host]
            keys.remove(key)
            if not keys:
                del self.hosts[server.host]
        return len(gone)

    def _shed_registrars(self) -> int:
        used, before = self.used(), len(self.registrars)
        self.registrars = {address: None for address in self.registrars if address in used}
        self._registrar_hosts = {host_of(address): None for address in self.registrars}
        return before - len(self.registrars)

    def _shed_relays(self) -> int:
        """Drop half of them: the evidence is weak, and will come again."""
        gone = list(self.relays)[: len(self.relays) // 2 + 1]
        for address in gone:
            del self.relays[address]
        return len(gone)

    def holds(self, address: str, host: str, by_host: bool) -> bool:
        """Whether `host:port` is a server, or (`by_host`) any server is at that host."""
        if address in self.registrars or address in self._entries.endpoints:
            return True
        return by_host and (host in self._entries.hosts or host in self._registrar_hosts)

    def origin(self, view: View, flow: Flow) -> str:
        """The server that sent on this flow: by address and port, otherwise by the host if it has exactly one server.
        """
        key = view.find(flow.source_host, flow.source_port)
        if key is not None:
            return key
        if flow.source in self._seen:
            return flow.source
        known = self.hosts.get(flow.source_host, ())
        return known[0] if len(known) == 1 else endpoint(flow.source_host, flow.source_port)

    def all(self) -> list[Server]:
        """Every server seen, with its current name, entry and priority."""
        listed = {member.key: (entry, member) for entry, member in reversed(list(self._listed()))}
        for server in self._seen.values():
            server.name = self._names.name_of(server.host)
            if server.key in listed:
                server.entry, member = listed[server.key]
                server.priority = member.priority
                server.name = member.name or server.name
        return list(self._seen.values())

    def _listed(self) -> Iterator[tuple[ServerEntry, EntryServer]]:
        """The servers of all entries; a server belongs to the first entry that lists it (declared ones come first)."""
        for state in self._entries.states():
            for member in state.entry.servers:
                yield state.entry, member
