"""The issues of one line: what its settings, valid each for itself, come to together (reference-model.md 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sipaudit.model.settings import Mode, Origin, Value
from sipaudit.settings.issues import SettingIssue, Statement
from sipaudit.settings.polycom.choices import SHARED_PROXY, Choice
from sipaudit.settings.polycom.hosts import is_literal
from sipaudit.settings.polycom.line import LineBlock, ServerBlock
from sipaudit.settings.polycom.parameters import OF_FAILOVER

Values = Mapping[str, Statement]

_LYNC = ("ocs", "lync")  # what specialInterop begins with for a Lync server (C10)


def line_issues(values: Values, block: LineBlock) -> Iterator[SettingIssue]:
    """Everything that is to be said of a line, but for its files themselves."""
    for server in block.servers:
        yield from _ambiguous(server)
        yield from _without_effect(server, block)
        yield from _failback(server, block.defaults)
        yield from _lync(values, server)
    yield from _proxy_unused(values, block)
    yield from _nowhere_to_go(values, block)


def _value(server: ServerBlock, name: str, defaults: Mapping[str, Value]) -> Value | None:
    """The value in force, None where it cannot be told."""
    found = server.settings.get(name)
    return defaults.get(name) if found is None else found.value


def _stated(server: ServerBlock, suffix: str) -> Statement | None:
    """The one statement that holds of a failOver suffix, None where there is none or several may."""
    choice = server.choices[suffix]
    return choice[0] if len(choice) == 1 else None


def _ambiguous(server: ServerBlock) -> Iterator[SettingIssue]:
    """C2: statements that differ, and no source that says which one counts."""
    for suffix, choice in server.choices.items():
        found = server.settings.get(suffix)
        if found is not None and found.origin is Origin.AMBIGUOUS:
            statements = tuple(one for one in choice if one is not None)
            if statements:
                effective = " or ".join(map(str, found.candidates))
                yield SettingIssue("config-ambiguous-precedence", statements,
                                   {"reason": _which(server, choice), "effective": effective})


def _which(server: ServerBlock, choice: Choice) -> str:
    if len(server.proxied) > 1:
        return "whether the outbound proxy is in effect cannot be told"
    if None not in choice:
        return "no source says whether the line's own setting or the phone's proxy setting comes first"
    if server.proxied[0]:
        return "with an outbound proxy in effect the proxy's parameter is to be set instead"
    return "the line names its server itself, and no source says whether it then takes this or the default"


def _without_effect(server: ServerBlock, block: LineBlock) -> Iterator[SettingIssue]:
    """C5. A value that is the default anyway does no harm, and nothing is said of it."""
    known = block.defaults if block.unread is None else {}  # a file that is not here may state what makes it act
    re_register, fail, mode = (_value(server, name, known)
                               for name in ("reRegisterOn", "failRegistrationOn", "failBack.mode"))
    reasons = {
        "failRegistrationOn": ("reRegisterOn is 0", re_register == 0),
        "onlySignalWithRegistered": (
            "reRegisterOn is 0" if re_register == 0 else "failRegistrationOn is 0", re_register == 0 or fail == 0),
        "failBack.timeout": (f"failBack.mode is {mode}", mode is not None and mode != Mode.DURATION),
    }
    for suffix, (why, idle) in reasons.items():
        statement = _stated(server, suffix)
        value = _value(server, suffix, known)
        if statement is not None and idle and value not in (None, block.defaults[suffix]):
            yield SettingIssue("config-no-effect", (statement,), {"reason": why})


def _failback(server: ServerBlock, defaults: Mapping[str, Value]) -> Iterator[SettingIssue]:
    """Returns that never come, or of which nobody can say when they are due."""
    mode = _stated(server, "failBack.mode")
    if mode is None:
        return
    timeout = _stated(server, "failBack.timeout")
    if mode.text == Mode.DURATION and timeout is not None and _value(server, "failBack.timeout", defaults) == 0:
        yield SettingIssue("config-failback-disabled", (timeout, mode))
    if mode.text == Mode.DNSTTL and server.host is not None and is_literal(server.host.name):
        yield SettingIssue("config-ttl-unknowable", (mode,), {"entry": server.host.name})


def _lync(values: Values, server: ServerBlock) -> Iterator[SettingIssue]:
    """C10."""
    interop = values.get(server.place.own + "specialInterop") or values.get(server.place.shared + "specialInterop")
    if interop is None or not interop.text.lower().startswith(_LYNC):
        return
    for suffix in ("concurrentRegistration", "reRegisterOn"):
        statement, found = _stated(server, suffix), server.settings.get(suffix)
        if statement is not None and found is not None and found.value == 1:
            yield SettingIssue("config-lync-incompatible", (statement, interop),
                               {"other": interop.said, "reason": suffix})
            return


def _proxy_unused(values: Values, block: LineBlock) -> Iterator[SettingIssue]:
    """Something is said of an outbound proxy that no server of the line uses."""
    if not block.servers or any(True in server.proxied for server in block.servers):
        return
    prefixes = (block.servers[0].place.own_proxy, SHARED_PROXY)
    why = "no outbound proxy has an address" if _address(values, prefixes) is None else \
        "no server of the line has useOutboundProxy=1"
    for prefix in prefixes:
        for suffix in ("address", *(f"failOver.{name}" for name in OF_FAILOVER)):
            statement = values.get(prefix + suffix)
            if statement is not None:
                yield SettingIssue("config-proxy-unused", (statement,), {"reason": why})


def _nowhere_to_go(values: Values, block: LineBlock) -> Iterator[SettingIssue]:
    """Entries of one address each: between them there is fallback, and no failover at all."""
    entries = [server.entry for server in block.servers]
    if any(entry is None or len(entry.servers) != 1 for entry in entries):
        return
    if len(entries) == 1:
        server, = block.servers
        place = server.place
        at = _address(values, (place.own_proxy, SHARED_PROXY) if server.proxied[0] else (place.own, place.shared))
        if at is not None:
            yield SettingIssue("config-single-server", (at,))
            return
    for server in block.servers:
        for suffix in server.choices:
            statement = _stated(server, suffix)
            if statement is not None and _value(server, suffix, block.defaults) != block.defaults.get(suffix):
                yield SettingIssue("config-failover-on-fallback", (statement,), {"count": str(len(entries))})


def _address(values: Values, prefixes: Iterable[str]) -> Statement | None:
    """The first statement of an address that any of these begins."""
    return next((values[prefix + "address"] for prefix in prefixes if prefix + "address" in values), None)
