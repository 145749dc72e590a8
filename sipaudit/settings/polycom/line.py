"""What the provisioning of one phone says of one of its lines: its servers, and the settings at each of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.settings import Origin, ServerEntry, Setting, Value
from sipaudit.settings.catalogue import DEFAULTS
from sipaudit.settings.issues import Statement
from sipaudit.settings.polycom.choices import (
    Choice,
    Place,
    either,
    failover,
    of_line,
    of_proxy,
    of_server,
    place,
    setting,
    statements_of,
    unset,
)
from sipaudit.settings.polycom.hosts import DnsCache, Host
from sipaudit.settings.polycom.parameters import OF_FAILOVER, OF_LINE, OF_SERVER

SERVERS = range(1, 11)

_HOST = re.compile(r"[\w.:%-]{1,253}")
_LINE = re.compile(r"reg\.([0-9]{1,2})\.")
_PLAIN = tuple(suffix for suffix in OF_SERVER if suffix != "address")

Values = Mapping[str, Statement]
Settings = dict[str, Setting]


class ServerBlock(Struct, frozen=True):
    """One server entry of a line. `host` is None while it is not known which (whether a proxy is in effect cannot be
    told, or no address is given), `entry` where its addresses are not known; `settings` are those that are stated.

    `choices` hold, by failOver suffix, the statements of which one holds.
    """

    place: Place
    host: Host | None
    entry: ServerEntry | None
    settings: Settings
    proxied: tuple[bool, ...]
    choices: dict[str, Choice]


class LineBlock(Struct, frozen=True):
    """A declared block: one line of one phone. `address` is reg.x.address, None where none is given; `defaults` those
    of the make; `common` is what is known at a server of which it cannot be told which of `servers` it is; `unread`
    says which file of the phone is not here, and may state what none of the others does: then nothing has its default;
    `behind` are those whose statements it goes before.
    """

    line: int
    address: Statement | None
    servers: tuple[ServerBlock, ...]
    common: Settings
    defaults: dict[str, Value]
    yealink: bool = False
    unread: str | None = None
    behind: frozenset[str] = frozenset()

    @property
    def user(self) -> str | None:
        """The user part of reg.x.address."""
        return None if self.address is None else _bare_address(self.address.text).partition("@")[0]

    @property
    def domain(self) -> str | None:
        """The host part of reg.x.address, where it has one."""
        host = "" if self.address is None else _bare_address(self.address.text).partition("@")[2]
        return host.lower() or None

    @property
    def aor(self) -> str:
        """The AOR as far as the files tell; empty for settings that stand for no line of their own."""
        if self.user is None:
            return ""
        address = self.servers[0].settings.get("address") if self.servers else None
        first = (address.candidates or (address.value,))[0] if address is not None else None
        host = self.domain or str(first or "").lower()
        return f"sip:{self.user}@{host}" if host else f"sip:{self.user}"

    def fits(self, user: str, domain: str) -> bool:
        """Whether this is the line of an AOR: the same user, escaped or not (RFC 3261 10.3, step 5), and the same host
        when one is given."""
        return self.user is not None and unquote(self.user) == unquote(user) and self.domain in (None, domain.lower())

    def settings_at(self, index: int) -> Settings:
        """What is stated for the entry at this place in the fallback order."""
        return self.servers[index].settings if index < len(self.servers) else self.common


def _bare_address(text: str) -> str:
    return re.sub(r"^sips?:", "", text, flags=re.IGNORECASE)


def merged(layers: Sequence[Mapping[str, Statement]]) -> dict[str, Statement]:
    """The first statement of each parameter (C7), `layers` in the order in which the phone reads them."""
    values: dict[str, Statement] = {}
    for layer in reversed(layers):
        values.update(layer)
    return values


def read_lines(values: Values, defaults: Mapping[str, Value] = DEFAULTS, *, yealink: bool = False
               ) -> tuple[LineBlock, ...]:
    """Every line that has an address. Without any: what is said of lines by number, or else of all lines alike."""
    numbers = sorted({int(found[1]) for found in map(_LINE.match, values) if found is not None})
    addressed = [number for number in numbers if f"reg.{number}.address" in values]
    cache = DnsCache(values)
    return tuple(_line(values, number, cache, defaults, yealink) for number in addressed or numbers or [0])


def _line(values: Values, number: int, cache: DnsCache, defaults: Mapping[str, Value], yealink: bool) -> LineBlock:
    servers = [_server(values, place(number, index), cache, defaults) for index in _indices(values, number)]
    kept = tuple(_by_proxy(servers, defaults))
    own = {name: Setting(value, None, Origin.DEFAULT) for name, value in defaults.items() if DEFAULTS[name] != value}
    blocks = tuple(replace(one, settings={**own, **one.settings}) for one in kept)
    common = agreed([block.settings for block in blocks], defaults)
    return LineBlock(number, values.get(f"reg.{number}.address"), blocks, common, dict(defaults), yealink)


def _indices(values: Values, number: int) -> list[int]:
    """The servers of a line: its own addresses, else the phone's; without any, those that something is said of."""
    places = [place(number, index) for index in SERVERS]
    own = [at.server for at in places if at.own + "address" in values]
    shared = [at.server for at in places if at.shared + "address" in values]
    if own or shared:
        return own or shared
    said = [at.server for at in places if any(
        prefix + suffix in values for prefix in (at.own, at.shared)
        for suffix in (*_PLAIN, *(f"failOver.{name}" for name in OF_FAILOVER)))]
    return said or [1]


def _server(values: Values, at: Place, cache: DnsCache, defaults: Mapping[str, Value]) -> ServerBlock:
    proxied = _proxied(values, at, defaults)
    choices = {suffix: _failover(values, at, suffix, proxied) for suffix in OF_FAILOVER}
    found = {name: setting(name, of_server(values, at, name), defaults) for name in _PLAIN}
    found |= {name: setting(name, choice, defaults) for name, choice in choices.items()}
    found |= {name: setting(name, of_line(values, at, name), defaults) for name in OF_LINE}
    found["address"] = setting("address", of_server(values, at, "address"))
    found["outboundProxy.address"] = setting("outboundProxy.address", of_proxy(values, at, "address"))
    host = _host(values, at, proxied)
    settings = {name: one for name, one in found.items() if one is not None}
    return ServerBlock(at, host, cache.entry(host) if host else None, settings, proxied, choices)


def _failover(values: Values, at: Place, suffix: str, proxied: tuple[bool, ...]) -> Choice:
    found = [one for by_proxy in proxied for one in failover(values, at, suffix, by_proxy)]
    return tuple(dict.fromkeys(found))


def _proxied(values: Values, at: Place, defaults: Mapping[str, Value]) -> tuple[bool, ...]:
    """Whether a proxy is in effect (C1): an address is set, and useOutboundProxy=1 for the server. Both where an
    invalid value leaves it open."""
    if not any(of_proxy(values, at, "address")):
        return (False,)
    use = setting("useOutboundProxy", of_server(values, at, "useOutboundProxy"), defaults)
    value = defaults["useOutboundProxy"] if use is None else use.value
    return (True, False) if value is None else (value == 1,)


def _host(values: Values, at: Place, proxied: tuple[bool, ...]) -> Host | None:
    """The server that the phone sends to: the outbound proxy where one is in effect."""
    if len(proxied) > 1:
        return None
    part = of_proxy if proxied[0] else of_server
    address, port, transport = (setting(name, part(values, at, name)) for name in ("address", "port", "transport"))
    if address is None or any(one is not None and one.value is None for one in (port, transport)):
        return None
    name = str(address.value).strip("[]").lower().rstrip(".")
    if not _HOST.fullmatch(name):
        return None
    word = None if transport is None or transport.value == "DNSnaptr" else str(transport.value)
    return Host(name, int(port.value or 0) if port is not None else 0, word, proxied[0])


def _by_proxy(servers: Sequence[ServerBlock], defaults: Mapping[str, Value]) -> Iterator[ServerBlock]:
    """Servers reached by one and the same proxy are one entry, the proxy's own list."""
    seen: dict[Host, list[ServerBlock]] = {}
    for server in servers:
        if server.host is not None and server.host.proxy:
            seen.setdefault(server.host, []).append(server)
    for server in servers:
        group = seen.pop(server.host, []) if server.host is not None and server.host.proxy else [server]
        if group:
            yield replace(group[0], settings=agreed([one.settings for one in group], defaults))


def agreed(blocks: Sequence[Settings], defaults: Mapping[str, Value]) -> Settings:
    """What holds whichever of several blocks does: a setting they differ in is ambiguous."""
    if len(blocks) == 1:
        return blocks[0]
    names = dict.fromkeys(name for block in blocks for name in block)
    return {name: either([block.get(name) or unset(name, defaults) for block in blocks]) for name in names}


def one_of(blocks: Sequence[LineBlock]) -> LineBlock:
    """One line as several models of phone would have it: what they agree on."""
    first = blocks[0]
    if all(block == first for block in blocks):
        return first
    alike = len({tuple(server.host for server in block.servers) for block in blocks}) == 1
    servers = tuple(_one_server(servers, first.defaults)
                    for servers in zip(*(block.servers for block in blocks), strict=True)) if alike else ()
    common = agreed([block.common for block in blocks], first.defaults)
    unread = next((block.unread for block in blocks if block.unread), None)
    behind = frozenset[str]().union(*(block.behind for block in blocks))
    return replace(first, servers=servers, common=common, unread=unread, behind=behind)


def _one_server(servers: Sequence[ServerBlock], defaults: Mapping[str, Value]) -> ServerBlock:
    first = servers[0]
    entry = first.entry if all(server.entry == first.entry for server in servers) else None
    settings = agreed([server.settings for server in servers], defaults)
    return replace(first, entry=entry, settings=settings)


def losers(values: Values, server: ServerBlock) -> Iterable[tuple[Statement, Statement]]:
    """Statements of failOver suffixes that another, different one supersedes at this server, with that one (C1)."""
    for suffix, choice in server.choices.items():
        holds = [one for one in choice if one is not None]
        for statement in statements_of(values, server.place, suffix) if holds else ():
            if statement not in holds and all(statement.text != one.text for one in holds):
                yield statement, holds[0]
