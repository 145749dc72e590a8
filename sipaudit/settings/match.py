"""`match:` of a line in the site file: which lines an item applies to."""

from __future__ import annotations

import fnmatch
import re

from msgspec import Struct

from sipaudit.model.settings import LineIdentity
from sipaudit.settings.addresses import Address
from sipaudit.yamlfile.reader import LONGEST_GLOB, Network, Reader
from sipaudit.yamlfile.tree import Node
from sipaudit.yamlfile.wording import quoted

GLOB_KEYS = ("user", "domain", "aor", "user_agent", "model", "mac")
MATCH_KEYS = ("user", "domain", "aor", "address", "user_agent", "model", "mac")


_EXAMPLE = '{user: "10??"}, or {} for every line'
_WILDCARD = re.compile(r"[*?\[]")
_MAC_SEPARATORS = re.compile("[:.-]")
# Twelve hexadecimal digits, or something with a wildcard and no other letters.
_MAC_GLOB = re.compile(r"[0-9a-f]{12}|(?=.*[*?\[])[0-9a-f*?\[\]!-]+", re.IGNORECASE)


class LineMatch(Struct, frozen=True):
    """The conditions that must all hold: globs by key, and the network of the phone.

    `literals`: the globs without a wildcard, as plain values.
    """

    globs: dict[str, re.Pattern[str]] = {}
    network: Network | None = None
    literals: dict[str, str] = {}

    @property
    def declares_phone(self) -> bool:
        """Whether the item declares that a source is a phone: only one with address or mac does (reference-model.md
        1)."""
        return self.network is not None or "mac" in self.globs

    @property
    def line_key(self) -> tuple[str, str] | None:
        """A (key, value) that every matching line has, for lookup: its user, otherwise that of its phone."""
        return ("user", self.literals["user"]) if "user" in self.literals else self.phone_key

    @property
    def phone_key(self) -> tuple[str, str] | None:
        """A (key, value) that every matching phone has: its address or its MAC; otherwise None."""
        if self.network is not None and self.network.num_addresses == 1:
            return ("address", str(self.network.network_address))
        return ("mac", self.literals["mac"]) if "mac" in self.literals else None

    @property
    def written(self) -> tuple[object, ...]:
        """The conditions in comparable form: items with equal ones match the same lines."""
        return tuple(sorted((key, pattern.pattern) for key, pattern in self.globs.items())), self.network

    def holds(self, identity: LineIdentity, address: Address | None) -> bool:
        """Whether every condition holds for a line; `address` is the identity's, parsed. An unknown value does not
        match."""
        if not self._holds_address(address):
            return False
        for key, pattern in self.globs.items():
            value = getattr(identity, key)
            if value is None or not pattern.fullmatch(bare_mac(value) if key == "mac" else value):
                return False
        return True

    def holds_phone(self, address: Address | None, mac: str | None) -> bool:
        """Whether the item declares the phone with this address and MAC."""
        if not self.declares_phone or not self._holds_address(address):
            return False
        pattern = self.globs.get("mac")
        return pattern is None or (mac is not None and pattern.fullmatch(bare_mac(mac)) is not None)

    def _holds_address(self, address: Address | None) -> bool:
        return self.network is None or (address is not None and address in self.network)


def bare_mac(text: str) -> str:
    """A MAC address without its separators, in lower case."""
    return _MAC_SEPARATORS.sub("", text).lower()


def read_match(reader: Reader, node: Node, where: str) -> LineMatch:
    """The match of an item. Unlike elsewhere (C3), an empty value is an error, not unset: it would silently widen the
    item to every line."""
    mapping = reader.mapping(node, where, _EXAMPLE)
    if mapping is None:
        return LineMatch()
    fields = reader.known(mapping, where, MATCH_KEYS)
    for key in MATCH_KEYS:
        if key in mapping.items and key not in fields:
            fix = "give it a value, or remove the key to match any"
            reader.problems.add(mapping.key_lines[key], f"{where}.{key} is empty", fix)
    globs = {key: _read_glob(reader, key, fields[key], f"{where}.{key}") for key in GLOB_KEYS if key in fields}
    texts = {key: glob for key, glob in globs.items() if glob is not None}
    return LineMatch(
        globs={key: _compile(key, text) for key, text in texts.items()},
        network=reader.network(fields["address"], f"{where}.address") if "address" in fields else None,
        literals={key: text for key, text in texts.items() if not _WILDCARD.search(text)},
    )


def _read_glob(reader: Reader, key: str, node: Node, where: str) -> str | None:
    text = reader.text(node, where, '"10??"')
    if text is None:
        return None
    if len(text) > LONGEST_GLOB:
        reader.problems.add(node.line, f"{where} is longer than {LONGEST_GLOB} characters", "use a shorter pattern")
        return None
    if key == "aor" and text[0] not in "*?[" and not text.lower().startswith("sip"):
        fix = f"write {quoted('sip:' + text)}, the AOR as reports show it"
        reader.problems.add(node.line, f"{where}: {quoted(text)} matches no AOR", fix)
        return None
    if key == "mac" and not _MAC_GLOB.fullmatch(_bare_mac_glob(text)):
        fix = "write 0004f2abcdef, or 0004f2* for all of a maker"
        reader.problems.add(node.line, f"{where}: {quoted(text)} matches no MAC", fix)
        return None
    return _bare_mac_glob(text) if key == "mac" else text


def _bare_mac_glob(text: str) -> str:
    """The MAC glob without separators; with brackets, dashes stay, as they may be ranges."""
    return re.sub("[:.]", "", text) if "[" in text else bare_mac(text)


def _compile(key: str, glob: str) -> re.Pattern[str]:
    """A regular expression for a shell glob over the whole value; only `user` is case-sensitive."""
    return re.compile(fnmatch.translate(glob), 0 if key == "user" else re.IGNORECASE)
