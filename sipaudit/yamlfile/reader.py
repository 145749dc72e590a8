"""Typed values from a tree: anything that is not as expected becomes a problem with its line and a remedy.

Every method returns None (or nothing) for an unusable value, after reporting it; callers read on, so that a file is
checked as a whole.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence as Names

from sipaudit.yamlfile.problems import Problems
from sipaudit.yamlfile.tree import Mapping, Node, Scalar, Sequence, is_empty
from sipaudit.yamlfile.wording import quoted, suggestion

LONGEST_GLOB = 256   # characters

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,9}")
_KINDS: dict[type, str] = {Scalar: "a single value", Sequence: "a list", Mapping: "a mapping"}

_WORDS = "write words, between quotes where YAML would read more into them"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Reader:
    """Reads the nodes of one file and adds to `problems`; `where` is the place in the file as a path,
    `lines[0].match`."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def _wrong(self, node: Node, where: str, wanted: str, fix: str) -> None:
        found = "nothing" if isinstance(node, Scalar) and node.empty else _KINDS[type(node)]
        self.problems.add(node.line, f"{where} must be {wanted}, not {found}", fix)

    def mapping(self, node: Node, where: str, example: str) -> Mapping | None:
        if isinstance(node, Mapping):
            return node
        self._wrong(node, where, "a mapping", f"write it as {example}")
        return None

    def keys(self, node: Node, where: str, names: Names[str], example: str) -> dict[str, Node] | None:
        """The values of a mapping by these keys, without empty ones; None if the node is not a mapping."""
        mapping = self.mapping(node, where, example)
        return None if mapping is None else self.known(mapping, where, names)

    def known(self, mapping: Mapping, where: str, names: Names[str]) -> dict[str, Node]:
        """The same for a node that is known to be a mapping."""
        self.refuse_unknown(mapping, where, names)
        return {key: mapping.items[key] for key in names if key in mapping.items and not is_empty(mapping.items[key])}

    def refuse_unknown(self, mapping: Mapping, where: str, names: Names[str]) -> None:
        """Report keys other than these; `where` is "" at the top of a file."""
        of = f"{where}: " if where else ""
        for key in [key for key in mapping.items if key not in names]:
            self.problems.add(mapping.key_lines[key], f"{of}unknown key {quoted(key)}", suggestion(key, names))

    def sequence(self, node: Node, where: str, example: str) -> tuple[Node, ...]:
        if isinstance(node, Sequence):
            return node.items
        self._wrong(node, where, "a list", f"write it as {example}")
        return ()

    def text(self, node: Node, where: str, example: str | None = None) -> str | None:
        """The scalar as written, numbers included; without an `example`, a sentence is expected."""
        if isinstance(node, Scalar) and not node.empty:
            return node.text
        self._wrong(node, where, "a text", _WORDS if example is None else f"write it as {example}")
        return None

    def texts(self, node: Node, where: str, example: str) -> tuple[tuple[str, int], ...]:
        """The texts of a list, each with its line."""
        items = enumerate(self.sequence(node, where, example))
        read = [(self.text(item, f"{where}[{index}]", example), item.line) for index, item in items]
        return tuple((text, line) for text, line in read if text is not None)

    def whole(self, node: Node, where: str, low: int, high: int) -> int | None:
        """A whole number from `low` to `high`; leading zeros are refused, as they could mean octal."""
        text = self.text(node, where, str(max(low, 1)))
        if text is None:
            return None
        if _WHOLE.fullmatch(text) and low <= int(text) <= high:
            return int(text)
        fix = f"write a whole number from {low} to {high}"
        self.problems.add(node.line, f"{where} cannot be {quoted(text)}", fix)
        return None

    def number(self, node: Node, where: str, low: float, high: float, unit: str = "seconds") -> float | None:
        """A decimal number from `low` to `high`, of `unit`."""
        text = self.text(node, where, f"{low:.12g}")
        if text is None:
            return None
        value = number_in(text, low, high)
        if value is None:
            fix = f"write {unit} from {low:.12g} to {high:.12g}"
            self.problems.add(node.line, f"{where} cannot be {quoted(text)}", fix)
        return value

    def flag(self, node: Node, where: str) -> bool | None:
        if isinstance(node, Scalar) and node.text.lower() in ("true", "false"):
            return node.text.lower() == "true"
        self.problems.add(node.line, f"{where} must be true or false", "write true or false")
        return None

    def word(self, node: Node, where: str, words: Names[str]) -> str | None:
        text = self.text(node, where, words[0])
        if text is None or text in words:
            return text
        self.problems.add(node.line, f"{where} cannot be {quoted(text)}", suggestion(text, words))
        return None

    def network(self, node: Node, where: str) -> Network | None:
        """One address, or a network as CIDR."""
        text = self.text(node, where, "10.1.0.0/16")
        if text is None:
            return None
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            fix = "write an address as 10.1.0.5, or a network as 10.1.0.0/16"
            self.problems.add(node.line, f"{where}: {quoted(text)} is neither an address nor a network", fix)
            return None
        if "/" in text and network.network_address != ipaddress.ip_address(text.partition("/")[0]):
            fix = f"write {network} for the network, or {text.partition('/')[0]} for the one address"
            self.problems.add(node.line, f"{where}: {quoted(text)} has bits set beyond its mask", fix)
            return None
        return network


def place_of(where: str, key: str) -> str:
    """`lines[0].match`: the name in messages of a field of the mapping at `where`, which is "" at the top of a file."""
    return f"{where}.{key}" if where else key


def number_in(text: str, low: float, high: float) -> float | None:
    """The number of a text in decimal notation, None if it is not one from `low` to `high`."""
    return float(text) if _NUMBER.fullmatch(text) and low <= float(text) <= high else None
