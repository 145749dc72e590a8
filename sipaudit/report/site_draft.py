"""Drafts a site file from what the captures show: which servers lines moved between, and whose lines these are.

The phones' settings, which packets cannot show, are comments in it, to be filled in. The draft itself declares none,
since a setting that a declared block leaves out counts as its default (reference-model.md 4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from glob import escape
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from json import dumps

from sipaudit.model.captures import ServerSummary
from sipaudit.model.settings import DEFAULT_PORTS
from sipaudit.model.values import LineSummary, Report
from sipaudit.report.networks import network_of
from sipaudit.report.screen import count_of
from sipaudit.safe_text import safe_text
from sipaudit.sip.datagram import host_of

SINGLY = 100     # most lines of an entry that are matched one by one
MODELS_SHOWN = 4
SEVERAL = """\
  # (?) Is this their order of priority? Are they all behind one reg.x.server.y of the phones?
  # Servers that the phones have as several (.1, .2) need an entry each.
"""
ALONE = """\
  # (?) No other was seen: add the others that the phones have, in their order.
"""
# No value is proposed: a wrong one would accuse phones that obey their settings. A site file with a (?) is refused.
SETTINGS = """\
    # settings:                          # uncomment, and write what the phones have: what is left out has its default
    #   reRegisterOn: (?)                # 0 or 1
    #   failRegistrationOn: (?)          # 0 or 1
    #   onlySignalWithRegistered: (?)    # 0 or 1
    #   failBack.mode: (?)               # newRequests, DNSTTL, registration or duration
    #   failBack.timeout: (?)            # seconds
"""


class Group:
    """Servers that the same lines worked with, and these lines. `name` is that of their entry, None if the entry is
    known from DNS."""

    def __init__(self, servers: set[str], lines: list[LineSummary]) -> None:
        self.servers = servers
        self.lines = lines
        self.name: str | None = None

    def with_those_of(self, other: Group) -> Group:
        """Add the servers and lines of another group to this one, and return it."""
        self.servers |= other.servers
        self.lines += other.lines
        return self

    def in_order(self) -> list[str]:
        """The servers in their likely order: first those with which most lines began, and which lines left in
        failovers."""
        weight: Counter[str] = Counter()
        for line in self.lines:
            weight[_first(line)] += 1
            for move in line.moves:
                if move.kind == "failover":
                    weight[move.from_] += 1
                    weight[move.to] -= 1
        return sorted(self.servers, key=lambda server: (-weight[server], server))


def draft(report: Report, captures: str, program: str = "sipaudit") -> str:
    """The draft as text. `captures` and `program` are those of the command line that it recommends."""
    groups = sorted(_groups(report.lines), key=lambda group: len(group.lines))
    unnamed = [group for group in reversed(groups) if group.servers]
    for number, group in enumerate(unnamed, 1):
        group.name = "main" if len(unnamed) == 1 else f"list-{number}"
    named = {server.server: server for server in report.servers}
    return "".join((
        "# A draft of a site file, made from the captures. Check what is marked (?) and fill in the settings,\n"
        "# without which most checks cannot be decided. Then:\n"
        f"#   {safe_text(program)} analyze {safe_text(captures)} --site site.yaml\n",
        *_entries(unnamed, named), "lines:\n", *_items(groups),
    ))


# -- which servers belong together

def _groups(lines: Iterable[LineSummary]) -> list[Group]:
    """Groups of lines that share servers, directly or through other lines; lines of a known entry are one more group,
    without servers."""
    groups: list[Group] = []
    known = Group(set(), [])
    for line in lines:
        if line.entry is not None:
            known.lines.append(line)
            continue
        joined = Group(_servers(line), [line])
        for group in [group for group in groups if group.servers & joined.servers]:
            groups.remove(group)
            joined = group.with_those_of(joined)
        groups.append(joined)
    groups = [group for group in groups if group.servers]
    return [*groups, known] if known.lines else groups


def _servers(line: LineSummary) -> set[str]:
    """The servers with which the line registered or worked."""
    used = {registration.server for registration in line.registrations}
    used.update(server for move in line.moves for server in (move.from_, move.to))
    return used if line.working is None else used | {line.working}


def _first(line: LineSummary) -> str:
    """The first server of the line, as far as is known."""
    began = [(registration.from_, registration.server) for registration in line.registrations]
    began += [(move.time, move.from_) for move in line.moves]
    return min(began)[1] if began else line.working or ""


# -- entries

def _entries(groups: Collection[Group], named: dict[str, ServerSummary]) -> Iterator[str]:
    if groups:
        yield "entries:\n"
    for group in groups:
        lines, moves = count_of(len(group.lines), "line"), sum(len(line.moves) for line in group.lines)
        if len(group.servers) > 1:
            yield f"  # {lines} worked with these, with {count_of(moves, 'move')} between them.\n{SEVERAL}"
        else:
            yield f"  # {lines} worked with this one.\n{ALONE}"
        yield f"  {group.name}:\n"
        for server in group.in_order():
            yield f"    - {{{_server(server, named.get(server))}}}\n"


def _server(key: str, known: ServerSummary | None) -> str:
    """`address: 10.0.0.1, transport: tcp`: a server in YAML, without the values that are the default."""
    place, _, transport = key.rpartition("/")
    port = place.rpartition(":")[2]
    said = [f"name: {_quoted(known.name)}"] if known is not None and known.name and known.name.isprintable() else []
    said.append(f"address: {_quoted(host_of(place))}")
    if port != str(DEFAULT_PORTS.get(transport, 5060)):
        said.append(f"port: {port}")
    return ", ".join(said if transport == "udp" else [*said, f"transport: {transport}"])


# -- lines

def _items(groups: list[Group]) -> Iterator[str]:
    """The items of each group; the last group, which has the most lines, matches all lines that no other item does."""
    for place, group in enumerate(groups, 1):
        others = [line for other in groups if other is not group for line in other.lines]
        matches = ["{}"] if place == len(groups) else list(_matches(group, others))
        yield f"  # {count_of(len(group.lines), 'line')}{_models(group.lines)}\n"
        for match in matches:
            yield f"  - match: {match}\n"
            yield f"    entry: {group.name}\n" if group.name else "    # its entry is known from DNS\n"
            yield SETTINGS
    if not groups:
        yield "  - match: {}\n" + SETTINGS


def _models(lines: Iterable[LineSummary]) -> str:
    """`: VVX_410 5.9.0, VVX_411 5.9.0`, the most frequent first."""
    counts = Counter(" ".join(filter(None, (line.model, line.firmware))) for line in lines)
    models = [safe_text(model) for model, _ in counts.most_common(MODELS_SHOWN) if model]
    return f": {', '.join(models)}" if models else ""


def _matches(group: Group, others: Collection[LineSummary]) -> Iterator[str]:
    """Conditions that match lines of the group and none of the others: by domain, by network, or else by each AOR."""
    domains = {_domain(line) for line in group.lines}
    if len(domains) == 1 and min(domains).isprintable() and domains.isdisjoint(map(_domain, others)):
        yield f"{{domain: {_quoted(escape(min(domains)))}}}"
        return
    networks = {network for line in group.lines if (network := network_of(line.phone)) is not None}
    if networks and networks.isdisjoint(network_of(line.phone) for line in others):
        yield from (f"{{address: {_quoted(str(network))}}}" for network in _collapsed(networks))
        return
    aors = [line.line for line in group.lines if line.line.isprintable()]
    yield from (f"{{aor: {_quoted(escape(aor))}}}" for aor in aors[:SINGLY])


def _domain(line: LineSummary) -> str:
    return line.line.partition("@")[2]


def _collapsed(networks: Iterable[IPv4Network | IPv6Network]) -> Iterator[IPv4Network | IPv6Network]:
    """The same addresses in as few networks as can be."""
    known = tuple(networks)
    yield from collapse_addresses(network for network in known if isinstance(network, IPv4Network))
    yield from collapse_addresses(network for network in known if isinstance(network, IPv6Network))


def _quoted(text: str) -> str:
    """Printable text in double quotes, as YAML reads it."""
    return dumps(text, ensure_ascii=False)
