"""`entries:` of the site file: the failover lists."""

from __future__ import annotations

from sipaudit.model.settings import DEFAULT_PORTS, EntryServer, ServerEntry
from sipaudit.settings.addresses import read_address, read_host_name
from sipaudit.yamlfile.reader import Reader
from sipaudit.yamlfile.tree import Node, Sequence
from sipaudit.yamlfile.wording import printable

ENTRY_KEYS = ("servers", "dns_ttl", "proxy")
SERVER_KEYS = ("name", "address", "port", "transport", "priority")
TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
MAX_TTL = 2147483647  # RFC 2181 8

_SERVERS_EXAMPLE = "[{address: 10.0.0.1}, {address: 10.0.0.2}]"
_SERVER_EXAMPLE = "{address: 10.0.0.1}"


def read_entries(reader: Reader, node: Node) -> dict[str, ServerEntry]:
    """The entries by name; those that cannot be used are left out, with their problems reported."""
    mapping = reader.mapping(node, "entries", "NAME: " + _SERVERS_EXAMPLE)
    entries = {} if mapping is None else mapping.items
    read = {name: _read_entry(reader, name, entry) for name, entry in entries.items()}
    return {name: entry for name, entry in read.items() if entry is not None}


def _read_entry(reader: Reader, name: str, node: Node) -> ServerEntry | None:
    where = f"entries.{printable(name)}"
    if isinstance(node, Sequence):  # a bare list is short for {servers: [...]}
        servers = _read_servers(reader, node, where)
        return ServerEntry(name, servers) if servers else None
    fields = reader.keys(node, where, ENTRY_KEYS, _SERVERS_EXAMPLE)
    if fields is None:
        return None
    ttl = reader.whole(fields["dns_ttl"], f"{where}.dns_ttl", 0, MAX_TTL) if "dns_ttl" in fields else None
    proxy = reader.flag(fields["proxy"], f"{where}.proxy") if "proxy" in fields else False
    if "servers" not in fields:
        reader.problems.add(node.line, f"{where} has no servers", "add 'servers: " + _SERVERS_EXAMPLE + "'")
        return None
    servers = _read_servers(reader, fields["servers"], f"{where}.servers")
    return ServerEntry(name, servers, bool(proxy), ttl) if servers else None


def _read_servers(reader: Reader, node: Node, where: str) -> tuple[EntryServer, ...]:
    """The servers, highest priority first."""
    items = reader.sequence(node, where, _SERVERS_EXAMPLE)
    if isinstance(node, Sequence) and not items:
        reader.problems.add(node.line, f"{where} is an empty list", "name at least one server: " + _SERVER_EXAMPLE)
    servers: dict[str, EntryServer] = {}
    for index, item in enumerate(items):
        server = _read_server(reader, item, f"{where}[{index}]", index + 1)
        if server is None:
            continue
        if server.key in servers:
            fix = "a server is its address and port: keep one of the two"
            reader.problems.add(item.line, f"{where}[{index}]: {server.key} is listed twice", fix)
        servers.setdefault(server.key, server)
    return tuple(sorted(servers.values(), key=lambda server: server.priority))


def _read_server(reader: Reader, node: Node, where: str, position: int) -> EntryServer | None:
    fields = reader.keys(node, where, SERVER_KEYS, _SERVER_EXAMPLE)
    if fields is None:
        return None
    if "address" not in fields and "name" not in fields:
        reader.problems.add(node.line, f"{where} has neither address nor name", "add 'address: 10.0.0.1'")
        return None
    address = read_address(reader, fields["address"], f"{where}.address") if "address" in fields else None
    name = read_host_name(reader, fields["name"], f"{where}.name") if "name" in fields else None
    word = reader.word(fields["transport"], f"{where}.transport", TRANSPORTS) if "transport" in fields else None
    port = reader.whole(fields["port"], f"{where}.port", 1, 65535) if "port" in fields else None
    priority = reader.whole(fields["priority"], f"{where}.priority", 0, 65535) if "priority" in fields else None
    if address is None and name is None:
        return None
    transport = word or "udp"
    return EntryServer(
        address=address,
        port=port or DEFAULT_PORTS[transport],
        transport=transport,
        priority=position if priority is None else priority,
        name=name,
    )
