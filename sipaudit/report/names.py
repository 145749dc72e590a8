"""What servers are called, by their whole name or as shortly as no other is; and whose neighbours phones are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from sipaudit.model.captures import ServerSummary
from sipaudit.model.values import Report
from sipaudit.report.screen import brief
from sipaudit.sip.datagram import host_of

IPV4 = re.compile(r"(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}")


def network_of(phone: str) -> IPv4Network | IPv6Network | None:
    """The /24 (IPv6: /64) that a phone is in; None of a pseudonym."""
    host = host_of(phone)
    ipv4 = IPV4.fullmatch(host)
    try:
        return _network(f"{ipv4[1]}.0/24" if ipv4 else f"{host}/64")
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)   # takes as long for ten thousand phones as the rest of a verdict


def name_of(server: str | None, report: Report) -> str | None:
    """The host name that a report gives a server; None where it has none."""
    return next((row.name for row in report.servers if row.server == server), None)


def site_names(report: Report) -> dict[tuple[str | None, str | None], str]:
    """By line and phone what the site file calls them, label and group: `Reception, Head office`."""
    named = {(line.line, line.phone): ", ".join(filter(None, (line.label, line.group))) for line in report.lines}
    return {whose: name for whose, name in named.items() if name}


def short_names(servers: Iterable[ServerSummary]) -> dict[str, str]:
    """By server the first label of its name where no other has it, else the name, else address and port."""
    servers = list(servers)
    labels = Counter(server.name.partition(".")[0] for server in servers if server.name)
    names = Counter(server.name for server in servers)
    short = {}
    for server in servers:
        label = (server.name or "").partition(".")[0]
        unique = server.name is not None and names[server.name] == 1
        short[server.server] = label if unique and labels[label] == 1 and not label.isdigit() else \
            server.name if unique and server.name else brief(server.server)
    return short
