"""Finds the item of a long list that matches a line without trying every item.

A site with thousands of phones may have an item for each of them. Items that give a user, an address or a MAC in full
are looked up; only the others, usually a few with wildcards, are tried one after the other.
"""

from __future__ import annotations

import heapq
import socket
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address

from sipaudit.model.settings import LineIdentity
from sipaudit.settings.addresses import Address, parse_address
from sipaudit.settings.match import LineMatch, bare_mac

Key = tuple[str, str | None]


class Finder:
    """Finds the first of several matches, in their order."""

    def __init__(self, matches: Sequence[LineMatch]) -> None:
        self._matches = matches
        self._lines = _Index([(place, match.line_key) for place, match in enumerate(matches)])
        phones = ((place, match) for place, match in enumerate(matches) if match.declares_phone)
        self._phones = _Index([(place, match.phone_key) for place, match in phones])

    def first(self, identity: LineIdentity) -> int | None:
        """The index of the first match that holds for a line."""
        address = _parsed(identity.address)
        matches = self._matches
        for place in self._lines.candidates(identity.user, address, identity.mac):
            if matches[place].holds(identity, address):
                return place
        return None

    def declares_phone(self, address: str, mac: str | None) -> bool:
        """Whether any match declares the phone with this address and MAC."""
        parsed, matches = _parsed(address), self._matches
        for place in self._phones.candidates(None, parsed, mac):   # noqa: SIM110  # each new phone is asked for
            if matches[place].holds_phone(parsed, mac):
                return True
        return False


class _Index:
    """Indexes of matches by the key that they require; those that require none are in `others`."""

    def __init__(self, keyed: Sequence[tuple[int, Key | None]]) -> None:
        self._by_key: dict[Key, list[int]] = {}
        self._others = [place for place, key in keyed if key is None]
        for place, key in keyed:
            if key is not None:
                self._by_key.setdefault(key, []).append(place)

    def candidates(self, user: str | None, address: Address | None, mac: str | None) -> Iterable[int]:
        """The indexes that may match a phone, and its line with this user, in order."""
        if not self._by_key:
            return self._others
        keys = (("user", user), ("address", str(address)), ("mac", None if mac is None else bare_mac(mac)))
        found = [places for key in keys if (places := self._by_key.get(key))]
        return heapq.merge(self._others, *found) if found else self._others


@lru_cache(maxsize=1024)   # called several times for each new line
def _parsed(text: str) -> Address | None:
    """Parse an IP address; IPv4, which is by far the most frequent, much faster than `ipaddress` does."""
    try:
        return IPv4Address(socket.inet_pton(socket.AF_INET, text))
    except (OSError, ValueError):
        return parse_address(text)
