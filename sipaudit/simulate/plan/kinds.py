"""What a value of a plan may be: each kind reads a node or says what is wrong with it, and where."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from collections.abc import Mapping as Table
from collections.abc import Sequence as Names
from datetime import datetime
from typing import Any

from sipaudit.yamlfile.problems import Problems
from sipaudit.yamlfile.reader import Reader
from sipaudit.yamlfile.tree import Mapping, Node, Sequence, is_empty
from sipaudit.yamlfile.wording import printable, quoted, suggestion

Kind = Callable[[Problems, Node, str], Any]
"""Reads the node that stands at a place (`phones[0].boot`); None when it cannot be used, which it has then said."""

_WORD = re.compile(r"[A-Za-z0-9._+-]{1,64}")
_A_WORD = "use letters, digits, dots and hyphens, at most 64"


def number(low: float = 0.0, high: float = 1e9, unit: str = "seconds") -> Kind:
    """A decimal number within its bounds."""
    return lambda problems, node, where: Reader(problems).number(node, where, low, high, unit)


def whole(low: int, high: int) -> Kind:
    """A whole number within its bounds."""
    return lambda problems, node, where: Reader(problems).whole(node, where, low, high)


def word(*words: str) -> Kind:
    """One of these words; without any, a short word of letters, digits, dots and hyphens."""
    return (lambda problems, node, where: Reader(problems).word(node, where, words)) if words else _name


def _name(problems: Problems, node: Node, where: str) -> str | None:
    read = Reader(problems).text(node, where, "name")
    if read is not None and not _WORD.fullmatch(read):
        problems.add(node.line, f"{where} cannot be {quoted(read)}", _A_WORD)
        return None
    return read


def text(problems: Problems, node: Node, where: str) -> str | None:
    """One line of printable text."""
    read = Reader(problems).text(node, where, "text")
    if read is not None and not (read.isascii() and read.isprintable() and len(read) <= 200):
        problems.add(node.line, f"{where} cannot be {quoted(read)}", "write at most 200 printable ASCII characters")
        return None
    return read


def label(problems: Problems, node: Node, where: str) -> str | None:
    """What people call something, in any script: the site file says it, and no packet."""
    read = Reader(problems).text(node, where, "text")
    if read is not None and not (read.isprintable() and len(read) <= 200):
        problems.add(node.line, f"{where} cannot be {quoted(read)}", "write at most 200 printable characters")
        return None
    return read


def flag(problems: Problems, node: Node, where: str) -> bool | None:
    """true or false."""
    return Reader(problems).flag(node, where)


def address() -> Kind:
    """An IP address in its shortest form."""
    return _written("IP address", "10.0.0.1", lambda written: str(ipaddress.ip_address(written)))


def network() -> Kind:
    """A network as CIDR."""
    return _written("network", "10.1.0.0/16", lambda written: str(ipaddress.ip_network(written)))


def moment() -> Kind:
    """A moment of the years 1970 to 2099 in UTC, in seconds since the epoch."""
    return _written("moment from 1970 to 2099", "2026-11-22T12:00:00Z", _since_the_epoch)


def listing(kind: Kind) -> Kind:
    """A list of one kind; a single value counts as a list of one."""

    def read(problems: Problems, node: Node, where: str) -> tuple[Any, ...]:
        if not isinstance(node, Sequence):
            nodes: tuple[Node, ...] = (node,)
        else:
            nodes = node.items
        values = [kind(problems, item, f"{where}[{index}]") for index, item in enumerate(nodes)]
        return tuple(value for value in values if value is not None)

    return read


def named(kind: Kind) -> Kind:
    """A mapping from names to one kind, in file order."""

    def read(problems: Problems, node: Node, where: str) -> dict[str, Any] | None:
        if not isinstance(node, Mapping):
            problems.add(node.line, f"{where} must be a mapping", "write NAME: and what belongs to it")
            return None
        for key in node.items:
            if not _WORD.fullmatch(key):
                problems.add(node.key_lines[key], f"{where}: {quoted(key)} is no name", _A_WORD)
        values = {key: kind(problems, value, f"{where}.{printable(key)}") for key, value in node.items.items()}
        return {key: value for key, value in values.items() if value is not None}

    return read


def block(make: Callable[..., Any], fields: Table[str, Kind], needed: Names[str] = (), line: bool = False) -> Kind:
    """A mapping with these keys, made into a value by `make`; hyphens and dots of keys become underscores."""

    def read(problems: Problems, node: Node, where: str) -> Any:
        if not isinstance(node, Mapping):
            problems.add(node.line, f"{where} must be a mapping", "write its keys: " + ", ".join(fields))
            return None
        for key in [key for key in node.items if key not in fields]:
            problems.add(node.key_lines[key], f"{where}: unknown key {quoted(key)}", suggestion(key, list(fields)))
        values = {
            key: kind(problems, node.items[key], f"{where}.{key}")
            for key, kind in fields.items() if key in node.items and not is_empty(node.items[key])
        }
        missing = [key for key in needed if key not in values]
        for key in missing:
            problems.add(node.line, f"{where} has no '{key}'", f"add '{key}:'")
        if missing or any(values[key] is None for key in needed):
            return None
        given = {_attribute(key): value for key, value in values.items() if value is not None}
        return make(**given, line=node.line) if line else make(**given)

    return read


def _attribute(key: str) -> str:
    return {"from": "start", "to": "end"}.get(key, key.replace("-", "_").replace(".", "_"))


def _written(what: str, example: str, parse: Callable[[str], Any]) -> Kind:
    """What `parse` makes of a single value; it raises ValueError for one that is none."""

    def read(problems: Problems, node: Node, where: str) -> Any:
        written = Reader(problems).text(node, where, example)
        if written is None:
            return None
        try:
            return parse(written)
        except ValueError:
            problems.add(node.line, f"{where}: {quoted(written)} is no {what}", f"write it as {example}")
            return None

    return read


def _since_the_epoch(written: str) -> float:
    when = datetime.fromisoformat(written)
    if when.tzinfo is None or not 1970 <= when.year < 2100:   # a pcap file counts seconds up to the year 2106
        raise ValueError(written)
    return when.timestamp()
