"""Which of several statements of one setting holds for a line: C1, and what C2 leaves open.

A *choice* is the statements of which one holds; None among them stands for the
default.  One member: settled.  Several that differ: ambiguous.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

from sipaudit.model.settings import Origin, Setting, Value
from sipaudit.settings.catalogue import DEFAULTS
from sipaudit.settings.issues import Statement
from sipaudit.settings.polycom.parameters import OF_LINE, parameter_type

SHOWN = 3  # sources named of an ambiguous setting

Choice = tuple[Statement | None, ...]


class Place(Struct, frozen=True, gc=False):
    """A server of a line by the prefixes of its parameters: `reg.x.server.y.`, `voIpProt.server.y.` below it, and the
    line's `reg.x.outboundProxy.`."""

    line: int
    server: int
    own: str
    shared: str
    own_proxy: str


@lru_cache(maxsize=4096)
def place(line: int, server: int) -> Place:
    """reg.`line`.server.`server`."""
    return Place(line, server, f"reg.{line}.server.{server}.", f"voIpProt.server.{server}.",
                 f"reg.{line}.outboundProxy.")


SHARED_PROXY = "voIpProt.SIP.outboundProxy."


def of_server(values: Mapping[str, Statement], at: Place, suffix: str) -> Choice:
    """A parameter of the server itself: the line's, else the phone's (C1)."""
    return (values.get(at.own + suffix) or values.get(at.shared + suffix),)


def of_proxy(values: Mapping[str, Statement], at: Place, suffix: str) -> Choice:
    """A parameter of the outbound proxy itself."""
    return (values.get(at.own_proxy + suffix) or values.get(SHARED_PROXY + suffix),)


def of_line(values: Mapping[str, Statement], at: Place, name: str) -> Choice:
    """A parameter that a line has once."""
    own, shared = OF_LINE[name]
    return ((values.get(f"reg.{at.line}.{own}") if own else None) or values.get(shared),)


def failover(values: Mapping[str, Statement], at: Place, suffix: str, proxied: bool) -> Choice:
    """A failOver suffix at a server that is, or is not, reached by an outbound proxy."""
    name = f"failOver.{suffix}"
    own, shared = values.get(at.own + name), values.get(at.shared + name)
    if not proxied:
        if own is None and shared is not None and at.own + "address" in values:
            return shared, None  # inherited, or the default? C2, third order
        return (own or shared,)
    line_proxy, phone_proxy = values.get(at.own_proxy + name), values.get(SHARED_PROXY + name)
    if line_proxy is not None:
        return (line_proxy,)
    if own is not None and phone_proxy is not None:
        return own, phone_proxy  # C2, first order
    if phone_proxy is not None:
        return (phone_proxy,)
    alone = own or shared
    return (None,) if alone is None else (alone, None)  # C2, second order


def statements_of(values: Mapping[str, Statement], at: Place, suffix: str) -> list[Statement]:
    """All that is said of a failOver suffix with any of the four prefixes."""
    prefixes = (at.own_proxy, at.own, SHARED_PROXY, at.shared)
    found = (values.get(f"{prefix}failOver.{suffix}") for prefix in prefixes)
    return [statement for statement in found if statement is not None]


def setting(name: str, choice: Choice, defaults: Mapping[str, Value] = DEFAULTS) -> Setting | None:
    """The setting that a choice comes to; None when nothing is said of it at all."""
    if not any(choice):
        return None
    return either([_read(name, statement, defaults) for statement in choice])


def _read(name: str, statement: Statement | None, defaults: Mapping[str, Value]) -> Setting:
    if statement is None:
        return unset(name, defaults)
    kind = parameter_type(statement.name)
    value = None if kind is None else kind.read(statement.text)
    if value is None:  # what a phone makes of an invalid value is not known (C3)
        return Setting(None, statement.source, Origin.UNKNOWN)
    inherited = statement.name.startswith("voIpProt.") and name not in _OF_PHONE
    return Setting(value, statement.source, Origin.INHERITED if inherited else Origin.EXPLICIT)


def unset(name: str, defaults: Mapping[str, Value]) -> Setting:
    """The setting that nothing is said of: its default, where it has one."""
    value = defaults.get(name)
    return Setting(value, None, Origin.DEFAULT if value is not None else Origin.UNKNOWN)


_OF_PHONE = frozenset(name for name, (own, _) in OF_LINE.items() if own is None)


def either(settings: Sequence[Setting]) -> Setting:
    """One of these settings holds, nobody can say which: the one value they agree on, else all of them."""
    if any(one.value is None and not one.candidates for one in settings):
        return Setting(None, _sources(settings), Origin.UNKNOWN)
    values = dict.fromkeys(value for one in settings for value in (one.candidates or (one.value,)) if value is not None)
    if len(values) == 1:
        return settings[0]
    return Setting(None, _sources(settings), Origin.AMBIGUOUS, tuple(values))


def _sources(settings: Iterable[Setting]) -> str | None:
    said = list(dict.fromkeys(one.source or "the default" for one in settings))
    return " or ".join(said[:SHOWN]) if any(one.source for one in settings) else None
