"""A configured server as a server entry, as far as provisioning alone tells: an IP literal, or the static DNS cache.

A phone asks DNS first and takes the cache when DNS says nothing; what DNS says in
a capture is followed by reconstruction, and puts the list in doubt where it
differs.  Several addresses of one name share its priority, as in DNS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from sipaudit.model.settings import DEFAULT_PORTS, EntryServer, ServerEntry
from sipaudit.settings.addresses import parse_address
from sipaudit.settings.catalogue import DNS_CACHE, setting_type
from sipaudit.settings.issues import Statement

PLACES = 12  # of each kind of record in the static cache
TRANSPORTS = {"UDPOnly": "udp", "TCPOnly": "tcp", "TCPpreferred": "tcp", "TLS": "tls"}
# In the order in which RFC 3263 4.1 tries them when no NAPTR record tells.
_SRV = (("udp", "_sip._udp."), ("tcp", "_sip._tcp."), ("tls", "_sips._tcp."))

Record = dict[str, int | str]


class Host(Struct, frozen=True, gc=False):
    """A server as configured: name or address in lower case, port (0: none given), transport word, whether it is the
    outbound proxy."""

    name: str
    port: int = 0
    transport: str | None = None
    proxy: bool = False

    @property
    def label(self) -> str:
        """What an entry of this server is called: the name, with the port when one is given."""
        name = f"[{self.name}]" if ":" in self.name and self.port else self.name
        return f"{name}:{self.port}" if self.port else name


def is_literal(host: str) -> bool:
    """Whether this is an IP address, which no DNS has a TTL for."""
    return parse_address(host) is not None


class DnsCache:
    """`dns.cache.*` of one phone. A record with a part that cannot be read is none."""

    def __init__(self, values: Mapping[str, Statement]) -> None:
        said = {name: statement for name, statement in values.items() if name.startswith("dns.cache.")}
        self._records = {kind: list(_records(said, kind, fields)) if said else []
                         for kind, fields in DNS_CACHE.items()}

    def entry(self, host: Host) -> ServerEntry | None:
        """The entry of a server, None when only DNS or the site file can tell its addresses."""
        transport = TRANSPORTS.get(host.transport or "")
        if is_literal(host.name) or host.port:  # with a port only addresses are asked for
            return self._of_address(host, transport or "udp")
        for at in self._services(host.name, transport):
            entry = self._of_service(host, *at)
            if entry is not None:
                return entry
        return self._of_address(host, transport or "udp")

    def _of_address(self, host: Host, transport: str) -> ServerEntry | None:
        port = host.port or DEFAULT_PORTS[transport]
        if is_literal(host.name):
            server = EntryServer(str(parse_address(host.name)), port, transport, 1)
            return ServerEntry(host.label, (server,), host.proxy, None, "provisioning")
        found = self._named("A", host.name)
        servers = [EntryServer(str(record["address"]), port, transport, 1, host.name) for record in found]
        return _entry(host, servers, found)

    def _of_service(self, host: Host, transport: str, owner: str, used: list[Record]) -> ServerEntry | None:
        services = self._named("SRV", owner)
        servers, records = [], [*used, *services]
        for service in sorted(services, key=lambda record: int(record["priority"])):
            target = _bare(service["target"])
            addresses = self._named("A", target)
            records += addresses
            servers += [EntryServer(str(address["address"]), int(service["port"]) or DEFAULT_PORTS[transport],
                                    transport, int(service["priority"]), target) for address in addresses]
            if is_literal(target):
                servers.append(EntryServer(target, int(service["port"]) or DEFAULT_PORTS[transport], transport,
                                           int(service["priority"])))
        return _entry(host, servers, records)

    def _services(self, name: str, transport: str | None) -> Iterator[tuple[str, str, list[Record]]]:
        """Transport, owner of the SRV records and the NAPTR record that leads there, first choice first."""
        kinds = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
        pointers = sorted(self._named("NAPTR", name), key=lambda record: (record["order"], record["preference"]))
        for pointer in pointers if transport is None else ():
            kind = kinds.get(str(pointer["service"]).upper())
            if kind is not None:
                yield kind, _bare(pointer["replacement"]), [pointer]
        for kind, prefix in _SRV:
            if transport in (None, kind):
                yield kind, prefix + name, []

    def _named(self, kind: str, name: str) -> list[Record]:
        return [record for record in self._records[kind] if _bare(record["name"]) == name]


def _entry(host: Host, servers: list[EntryServer], records: list[Record]) -> ServerEntry | None:
    """The entry with its TTL where all its records agree on one."""
    if not servers:
        return None
    ttls = {record.get("ttl") for record in records}
    ttl = ttls.pop() if len(ttls) == 1 else None
    distinct: dict[str, EntryServer] = {}
    for server in servers:
        distinct.setdefault(server.key, server)
    ordered = sorted(distinct.values(), key=lambda server: server.priority)
    return ServerEntry(host.label, tuple(ordered), host.proxy, ttl if isinstance(ttl, int) else None, "provisioning")


# What a record cannot do without, with what stands in for it where the vendor has a default.
_NEEDED: dict[str, dict[str, int | None]] = {
    "A": {"name": None, "address": None}, "SRV": {"name": None, "target": None, "priority": 0, "port": 0},
    "NAPTR": {"name": None, "service": None, "replacement": None, "order": 0, "preference": 0},
}


def _records(values: Mapping[str, Statement], kind: str, fields: Mapping[str, object]) -> Iterator[Record]:
    for place in range(1, PLACES + 1):
        prefix = f"dns.cache.{kind}.{place}."
        stated = {field: values[prefix + field] for field in fields if prefix + field in values}
        record = {field: _read(statement) for field, statement in stated.items()}
        whole: Record = {field: value for field, value in record.items() if value is not None}
        for field, default in _NEEDED[kind].items():
            if field not in stated and default is not None:
                whole[field] = default
        if len(whole) >= len(record) and set(_NEEDED[kind]) <= set(whole) and _usable(whole):
            yield whole


def _read(statement: Statement) -> int | str | None:
    kind = setting_type(statement.name)
    return None if kind is None else kind.read(statement.text)


def _usable(record: Record) -> bool:
    return "address" not in record or is_literal(str(record["address"]))


def _bare(name: int | str) -> str:
    return str(name).lower().rstrip(".")
