"""Yealink's `account.X.` files, translated to the equivalent Polycom parameters (polycom.md 8).

The original names are kept where they matter: a statement keeps the attribute as in the file. These settings are only
shown and checked: the behaviour of these phones is not modelled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sipaudit.settings.issues import Statement
from sipaudit.yamlfile.problems import Problems

MAX_LINES = 100_000
DEFAULTS = {"onlySignalWithRegistered": 0, "useOutboundProxy": 0}  # where Yealink's defaults differ
MODES = {"0": "newRequests", "1": "DNSTTL", "2": "registration", "3": "duration"}
TRANSPORTS = {"0": "UDPOnly", "1": "TCPOnly", "2": "TLS", "3": "DNSnaptr"}

_FAILOVER = {
    "register_on_enable": "failOver.reRegisterOn",
    "only_signal_with_registered": "failOver.onlySignalWithRegistered",
    "failback_mode": "failOver.failBack.mode",
    "failback_timeout": "failOver.failBack.timeout",
}
_SERVER = {**_FAILOVER, "address": "address", "port": "port", "expires": "expires", "transport_type": "transport",
           "retry_counts": "retryMaxCount"}
_PROXY = {**_FAILOVER, "address": "address", "port": "port"}
_WORDS = {"failOver.failBack.mode": MODES, "transport": TRANSPORTS}
_KEY = re.compile(r"account\.([1-9][0-9]?)\.(?:(sip_server|outbound_proxy)\.([1-9])\.)?([a-z_.]+)")
_CACHE = re.compile(r"dns_cache_(a|srv|naptr)\.([1-9][0-9]?)\.([a-z]+)")
_CACHE_FIELDS = {"flags": "flags", "order": "order", "preference": "preference", "replace": "replacement",
                 "service": "service"}


def read_statements(file: str, text: str, layer: str, problems: Problems) -> Iterator[Statement]:
    """The statements in a file of `key = value` lines that matter for failover. Raises InputErrors for any other
    file."""
    lines = text.split("\n", MAX_LINES)
    if len(lines) > MAX_LINES:
        problems.stop(MAX_LINES, f"more than {MAX_LINES} lines", "a provisioning file is far smaller: is this one?")
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if not bare or bare.startswith(("#", ";", "[")):
            continue
        key, equals, value = (part.strip() for part in bare.partition("="))
        if not equals:
            problems.stop(number, "neither XML nor a line 'key = value'", "name a provisioning file")
        if value:
            yield from (Statement(name, said, file, number, key, layer) for name, said in _translated(key, value))


def _translated(key: str, value: str) -> Iterator[tuple[str, str]]:
    cached = _CACHE.fullmatch(key)
    if cached is not None:
        field = _CACHE_FIELDS.get(cached[3], cached[3])
        yield f"dns.cache.{cached[1].upper()}.{cached[2]}.{field}", value
        return
    found = _KEY.fullmatch(key)
    if found is None:
        return
    account, of, server, name = found.groups()
    if of is None:
        yield from _of_account(account, name, value)
    elif of == "sip_server" and name in _SERVER:
        yield f"reg.{account}.server.{server}.{_SERVER[name]}", _word(_SERVER[name], value)
    elif of == "outbound_proxy" and server == "1" and name in _PROXY:
        yield f"reg.{account}.outboundProxy.{_PROXY[name]}", _word(_PROXY[name], value)


def _of_account(account: str, name: str, value: str) -> Iterator[tuple[str, str]]:
    if name == "user_name":
        yield f"reg.{account}.address", value
    elif name == "outbound_proxy_enable":
        for server in ("1", "2"):
            yield f"reg.{account}.server.{server}.useOutboundProxy", value


def _word(suffix: str, value: str) -> str:
    """Polycom's word for one of Yealink's numbers; any other value stays as it is, to be reported as invalid."""
    return _WORDS.get(suffix, {}).get(value, value)
