"""Reads a plan and checks all of it: each error has its file, its line and a suggested fix."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from sipaudit.simulate.plan.kinds import (
    address,
    block,
    flag,
    label,
    listing,
    moment,
    named,
    network,
    number,
    text,
    whole,
    word,
)
from sipaudit.simulate.plan.values import (
    WRONGS,
    Calls,
    EntryPlan,
    Fault,
    Group,
    Habits,
    Incoming,
    Network,
    Plan,
    ServerPlan,
    Settings,
    Tap,
)
from sipaudit.yamlfile.files import read_bytes
from sipaudit.yamlfile.problems import Problems
from sipaudit.yamlfile.reader import Reader
from sipaudit.yamlfile.tree import Mapping, Node, Scalar, read_tree
from sipaudit.yamlfile.wording import printable, suggestion

MOST_PHONES = 50_000
MOST_NETWORKS = 250  # groups that are given a network if they name none
FAULTS = (
    "silent", "unavailable", "unreachable", "reset", "no-calls", "slow", "flapping", "grants-nothing", "forbids",
    "no-contact", "tls-alert", "redirects",
)
CALL_KINDS = ("talk", "hold", "transfer", "cancel", "busy", "far-end", "emergency")

_SECONDS = number()
_SHARE = number(0.0, 1.0, "a share")  # a fraction of all packets
_MODES = ("newRequests", "DNSTTL", "registration", "duration")
_SETTINGS = block(Settings, {
    "register": whole(0, 1),
    "reRegisterOn": whole(0, 1),
    "failRegistrationOn": whole(0, 1),
    "onlySignalWithRegistered": whole(0, 1),
    "failBack.mode": word(*_MODES),
    "failBack.timeout": whole(0, 65535),
    "expires": whole(10, 2147483647),
    "expires.overlap": whole(5, 65535),
    "retryTimeOut": whole(0, 65535),
    "retryMaxCount": whole(0, 20),
    "failoverOn503Response": whole(0, 1),
    "registerRetry.baseTimeOut": whole(10, 120),
    "registerRetry.maxTimeOut": whole(60, 1800),
})
_FAULT = block(Fault, {
    "kind": word(*FAULTS), "from": _SECONDS, "to": _SECONDS, "retry-after": whole(0, 65535), "delay": _SECONDS,
    "up": number(0.1), "down": number(0.1), "target": word(),
}, needed=("kind",))
_SERVER = block(ServerPlan, {
    "address": address, "port": whole(1, 65535), "challenge": word("none", "register", "all"),
    "nonce-life": number(1.0), "expires": whole(0, 2147483647), "contacts": whole(0, 10), "answer": number(0, 30),
    "options-every": number(1.0), "faults": listing(_FAULT),
}, needed=("address",), line=True)
_ENTRY = block(EntryPlan, {
    "servers": listing(word()), "name": word(), "ttl": whole(0, 2147483647), "dns-ttl": whole(0, 2147483647),
    "balanced": flag,
}, needed=("servers",), line=True)
_MOMENTS = {
    "at": listing(_SECONDS), "every": number(1.0), "from": _SECONDS, "to": _SECONDS, "seconds": number(0.5),
}
_CALLS = block(Calls, {**_MOMENTS, "kind": word(*CALL_KINDS), "number": word(), "rtp": flag})
_INCOMING = block(Incoming, {**_MOMENTS, "server": word()})
_HABITS = block(Habits, {
    "retries": word("capped", "rfc", "short"), "on-503": word("moves", "stays"), "renews": word("home", "working"),
    "keeps-old": flag, "refuses": word("answer", "silence"), "new-call-id": flag, "half-renewal": flag,
})
_NETWORK = block(Network, {
    "delay": number(0, 5), "jitter": number(0, 5), "loss": _SHARE, "duplicate": _SHARE, "reorder": _SHARE,
})
_TAP = block(Tap, {
    "loss": _SHARE, "from": _SECONDS, "sees": word("both", "from-phones", "to-phones"), "doubles": _SHARE,
    "vlans": listing(whole(1, 4094)), "tunnel": word("none", "gre", "ipip", "vxlan"), "mtu": whole(68, 65535),
    "keys": flag,
})


def _settings(reader: Reader, node: Node, where: str) -> tuple[Settings, dict[str, str]] | None:
    """The settings with their defaults filled in, and their texts as written."""
    made: Settings | None = _SETTINGS(reader, node, where)
    if made is None or not isinstance(node, Mapping):
        return None
    return made, {key: value.text for key, value in node.items.items() if isinstance(value, Scalar)}


def _made_group(settings: tuple[Settings, dict[str, str]] | None = None, **given: Any) -> Group:
    if settings is None:
        return Group(**given)
    return Group(**given, settings=settings[0], stated=settings[1])


_GROUP = block(_made_group, {
    "entry": word(), "fallback": word(), "group": label, "count": whole(1, MOST_PHONES), "user": whole(1, 9_999_999),
    "lines": whole(1, 10), "shared": flag,
    "network": network, "agent": text, "transport": word("udp", "tcp", "tls"), "declared": flag, "habits": _HABITS,
    "boot": listing(_SECONDS), "calls": listing(_CALLS), "incoming": listing(_INCOMING), "subscribe": flag,
    "subscribe-expires": whole(10, 86_400), "options-every": number(1.0), "keepalive-every": number(1.0),
    "reboot": listing(_SECONDS), "new-address": flag, "boot-traffic": flag, "log-out": _SECONDS, "nat": address,
    "deviates": listing(word(*WRONGS)), "settings": _settings,
}, needed=("entry",), line=True)
_PLAN = block(Plan, {
    "seed": whole(0, 2147483647), "start": moment, "duration": number(1.0, 1e8), "domain": word(),
    "servers": named(_SERVER), "entries": named(_ENTRY), "phones": listing(_GROUP), "network": _NETWORK, "tap": _TAP,
}, needed=("servers", "entries", "phones"))


def read_plan(path: str) -> Plan:
    """Read the plan in a file. Raises InputErrors with all its errors."""
    problems = Problems(path)
    root = read_tree(read_bytes(Path(path), "the plan"), problems)
    if root is None:
        problems.stop(None, "the plan is empty", "see docs/simulate.md for an example")
    plan: Plan | None = _PLAN(Reader(problems), root, "")
    if plan is not None:
        plan = _placed(replace(plan, name=Path(path).name))
        _check(problems, plan)
    problems.raise_any()
    assert plan is not None
    return plan


def _placed(plan: Plan) -> Plan:
    """Give each group a network of its own, so that the site file can tell the groups apart."""
    groups = []
    for place, group in enumerate(plan.phones):
        servers = plan.entries[group.entry].servers if group.entry in plan.entries else ()
        six = any(":" in plan.servers[name].address for name in servers if name in plan.servers)
        own = f"2001:db8:{place + 1:x}::/64" if six else f"10.{place + 1}.0.0/16" if place < MOST_NETWORKS else None
        groups.append(replace(group, network=group.network or own))
    return replace(plan, phones=tuple(groups))


def _check(problems: Problems, plan: Plan) -> None:
    _check_names(problems, plan)
    _check_faults(problems, plan)
    _check_places(problems, plan)
    for place, group in enumerate(plan.phones):
        _check_group(problems, plan, group, f"phones[{place}]")
    _check_users(problems, plan)
    total = sum(group.count for group in plan.phones)
    if total > MOST_PHONES:
        problems.add(plan.phones[0].line, f"{total} phones are too many", f"at most {MOST_PHONES} in all")


def _check_names(problems: Problems, plan: Plan) -> None:
    """Check that every server named in the plan exists, and that the servers of an entry are of one address family."""
    for name, server_plan in plan.servers.items():
        for fault in server_plan.faults:
            if fault.kind == "redirects" and fault.target not in plan.servers:
                where = f"servers.{printable(name)}.faults"
                problems.add(server_plan.line, f"{where}: 'redirects' needs the 'target:' that calls are sent to",
                             "name one of the servers: " + ", ".join(map(printable, plan.servers)))
    for name, entry in plan.entries.items():
        for server in entry.servers:
            if server not in plan.servers:
                where = f"entries.{printable(name)}.servers"
                problems.add(entry.line, f"{where}: there is no server '{printable(server)}'",
                             suggestion(server, plan.servers))
        if len({":" in plan.servers[server].address for server in entry.servers if server in plan.servers}) > 1:
            problems.add(entry.line, f"entries.{printable(name)}: a phone has one address, and reaches servers of IPv4 "
                         "or of IPv6 only", "give its servers addresses of one family")


def _check_faults(problems: Problems, plan: Plan) -> None:
    """Check that no fault ends before it begins."""
    for name, server_plan in plan.servers.items():
        for place, fault in enumerate(server_plan.faults):
            if fault.end < fault.start:
                problems.add(server_plan.line, f"servers.{printable(name)}.faults[{place}] is over at {fault.end:g}, "
                             f"before it begins at {fault.start:g}", "give it a later 'to:'")


def _check_users(problems: Problems, plan: Plan) -> None:
    """Check that no two groups have a user number in common."""
    users: dict[int, int] = {}
    for place, group in enumerate(plan.phones):
        taken = range(group.user, group.user + (1 if group.shared else group.count) * group.lines)
        for first, size in users.items():
            if taken.start < first + size and first < taken.stop:
                problems.add(group.line, f"phones[{place}]: users {taken.start} to {taken.stop - 1} overlap another "
                             "group's", "give the group another first 'user:'")
                break
        users[taken.start] = len(taken)


def _check_places(problems: Problems, plan: Plan) -> None:
    """Check that servers have different addresses or ports, and groups separate networks unless declared alike."""
    places: dict[tuple[str, int], str] = {}
    for name, server in plan.servers.items():
        first = places.setdefault((server.address, server.port), name)
        if first != name:
            problems.add(server.line, f"servers.{name} has the address and port of '{first}'", "give it another")
    taken: list[tuple[int, ipaddress.IPv4Network | ipaddress.IPv6Network]] = []
    for place, group in enumerate(plan.phones):
        if group.network is None:
            problems.add(group.line, f"phones[{place}] has no network left", "name one: 'network: 172.16.0.0/16'")
            continue
        own = ipaddress.ip_network(group.network)
        for other, known in taken:
            overlaps = own.version == known.version and own.overlaps(known)
            if overlaps and group.declaration != plan.phones[other].declaration:
                problems.add(group.line, f"phones[{place}].network overlaps that of phones[{other}]",
                             "name another; only groups with the same entry, settings and group may share one")
                break
        taken.append((place, own))


def _check_group(problems: Problems, plan: Plan, group: Group, where: str) -> None:
    for key, name in (("entry", group.entry), ("fallback", group.fallback)):
        if name is not None and name not in plan.entries:
            problems.add(group.line, f"{where}.{key}: there is no entry '{printable(name)}'",
                         suggestion(name, plan.entries))
    room = ipaddress.ip_network(group.network or "0.0.0.0/0").num_addresses - 12
    phones = plan.phones_in(group.network)
    if phones * (1 + len(group.reboot) * group.new_address) > room:
        problems.add(group.line, f"{where}.network is too small for {phones} phones", "name a larger network")
    for incoming in group.incoming:
        if incoming.server != "newest" and incoming.server not in plan.servers:
            problems.add(group.line, f"{where}.incoming: there is no server '{printable(incoming.server)}'",
                         suggestion(incoming.server, ["newest", *plan.servers]))
    if len(group.boot) > 2 or (len(group.boot) == 2 and group.boot[0] > group.boot[1]):
        problems.add(group.line, f"{where}.boot must be one moment, or the first and the last of a span",
                     "write it as [0, 5]")
