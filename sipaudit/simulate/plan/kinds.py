"""The kinds of values in a plan: each reads a node, or reports what is wrong with it, and where."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from collections.abc import Mapping as Table
from collections.abc import Sequence as Names
from datetime import datetime
from typing import Any

from sipaudit.yamlfile.reader import Reader, place_of
from sipaudit.yamlfile.tree import Mapping, Node, Sequence
from sipaudit.yamlfile.wording import printable, quoted

Kind = Callable[[Reader, Node, str], Any]
"""Reads the node at a place (`phones[0].boot`, "" for the plan itself); returns None for an unusable one, after
reporting the error."""

_WORD = re.compile(r"[A-Za-z0-9._+-]{1,64}")
_A_WORD = "use letters, digits, dots and hyphens, at most 64"

flag: Kind = Reader.flag


def number(low: float = 0.0, high: float = 1e9, unit: str = "seconds") -> Kind:
    """A decimal number from `low` to `high`."""
    return lambda reader, node, where: reader.number(node, where, low, high, unit)


def whole(low: int, high: int) -> Kind:
    """A whole number from `low` to `high`."""
    return lambda reader, node, where: reader.whole(node, where, low, high)


def word(*words: str) -> Kind:
    """One of these words; without any, a short word of letters, digits, dots and hyphens."""
    return (lambda reader, node, where: reader.word(node, where, words)) if words else _name


def _fitting(fits: Callable[[str], object], example: str, fix: str) -> Kind:
    """A text for which `fits` is true."""

    def read(reader: Reader, node: Node, where: str) -> str | None:
        written = reader.text(node, where, example)
        if written is not None and not fits(written):
            reader.problems.add(node.line, f"{where} cannot be {quoted(written)}", fix)
            return None
        return written

    return read


def _written(what: str, example: str, parse: Callable[[str], Any]) -> Kind:
    """A single value converted by `parse`, which raises ValueError for an invalid one."""

    def read(reader: Reader, node: Node, where: str) -> Any:
        written = reader.text(node, where, example)
        if written is None:
            return None
        try:
            return parse(written)
        except ValueError:
            reader.problems.add(node.line, f"{where}: {quoted(written)} is no {what}", f"write it as {example}")
            return None

    return read


def _since_the_epoch(written: str) -> float:
    when = datetime.fromisoformat(written)
    if when.tzinfo is None or not 1970 <= when.year < 2100:   # a pcap file counts seconds up to the year 2106
        raise ValueError(written)
    return when.timestamp()


_name = _fitting(_WORD.fullmatch, "name", _A_WORD)
# one line, which may appear in packets
text = _fitting(lambda written: written.isascii() and written.isprintable() and len(written) <= 200, "text",
                "write at most 200 printable ASCII characters")
# a name for people, in any script: it appears in the site file, not in packets
label = _fitting(lambda written: written.isprintable() and len(written) <= 200, "text",
                 "write at most 200 printable characters")
address = _written("IP address", "10.0.0.1", lambda written: str(ipaddress.ip_address(written)))
network = _written("network", "10.1.0.0/16", lambda written: str(ipaddress.ip_network(written)))
# read as seconds since the epoch
moment = _written("moment from 1970 to 2099", "2026-11-22T12:00:00Z", _since_the_epoch)


def listing(kind: Kind) -> Kind:
    """A list of one kind; a single value counts as a list of one."""

    def read(reader: Reader, node: Node, where: str) -> tuple[Any, ...]:
        nodes = node.items if isinstance(node, Sequence) else (node,)
        values = [kind(reader, item, f"{where}[{index}]") for index, item in enumerate(nodes)]
        return tuple(value for value in values if value is not None)

    return read


def named(kind: Kind) -> Kind:
    """A mapping from names to one kind, in file order."""

    def read(reader: Reader, node: Node, where: str) -> dict[str, Any] | None:
        if not isinstance(node, Mapping):
            reader.problems.add(node.line, f"{where} must be a mapping", "write NAME: and what belongs to it")
            return None
        for key in node.items:
            if not _WORD.fullmatch(key):
                reader.problems.add(node.key_lines[key], f"{where}: {quoted(key)} is no name", _A_WORD)
        values = {key: kind(reader, value, f"{where}.{printable(key)}") for key, value in node.items.items()}
        return {key: value for key, value in values.items() if value is not None}

    return read


def block(make: Callable[..., Any], fields: Table[str, Kind], needed: Names[str] = (), line: bool = False) -> Kind:
    """A mapping with these keys, passed to `make` as keyword arguments; hyphens and dots in keys become underscores."""

    def read(reader: Reader, node: Node, where: str) -> Any:
        name = where or "the plan"
        if not isinstance(node, Mapping):
            reader.problems.add(node.line, f"{name} must be a mapping", "write its keys: " + ", ".join(fields))
            return None
        known = reader.known(node, where, list(fields))
        values = {key: fields[key](reader, value, place_of(where, key)) for key, value in known.items()}
        missing = [key for key in needed if key not in values]
        for key in missing:
            reader.problems.add(node.line, f"{name} has no '{key}'", f"add '{key}:'")
        if missing or any(values[key] is None for key in needed):
            return None
        given = {_attribute(key): value for key, value in values.items() if value is not None}
        return make(**given, line=node.line) if line else make(**given)

    return read


def _attribute(key: str) -> str:
    return {"from": "start", "to": "end"}.get(key, key.replace("-", "_").replace(".", "_"))
