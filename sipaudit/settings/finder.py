"""Which item of a long list speaks of a line, without asking every item.

A site with thousands of phones may have an item for each of them.  Items that
name one user, one address or one MAC in full are looked up; only the others,
usually a few with wildcards, are tried one after the other.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from sipaudit.model.settings import LineIdentity
from sipaudit.settings.match import LineMatch, bare_mac
from sipaudit.settings.reader import Address, parse_address

Key = tuple[str, str]


class Finder:
    """Finds the first of several matches, in their order."""

    def __init__(self, matches: Sequence[LineMatch]) -> None:
        self._matches = matches
        self._lines = _Index([(place, match.line_key) for place, match in enumerate(matches)])
        phones = ((place, match) for place, match in enumerate(matches) if match.declares_phone)
        self._phones = _Index([(place, match.phone_key) for place, match in phones])

    def first(self, identity: LineIdentity) -> int | None:
        """The position of the first match that holds for a line."""
        address, keys = _at(identity.address)
        keys = (("user", identity.user), *keys, *_of_mac(identity.mac))
        return self._search(self._lines, keys, lambda match: match.holds(identity, address))

    def declares_phone(self, address: str, mac: str | None) -> bool:
        """Whether any match declares the phone with this address and MAC."""
        parsed, keys = _at(address)
        place = self._search(self._phones, (*keys, *_of_mac(mac)), lambda match: match.holds_phone(parsed, mac))
        return place is not None

    def _search(self, index: _Index, keys: Sequence[Key], holds: Callable[[LineMatch], bool]) -> int | None:
        return next((place for place in index.candidates(keys) if holds(self._matches[place])), None)


class _Index:
    """Positions by the key they need; those that need none stand in `others`."""

    def __init__(self, keyed: Sequence[tuple[int, Key | None]]) -> None:
        self._by_key: dict[Key, list[int]] = {}
        self._others = [place for place, key in keyed if key is None]
        for place, key in keyed:
            if key is not None:
                self._by_key.setdefault(key, []).append(place)

    def candidates(self, keys: Sequence[Key]) -> Iterable[int]:
        """The positions that may match, in order."""
        found = [places for key in keys if (places := self._by_key.get(key))]
        return heapq.merge(self._others, *found) if found else self._others


@lru_cache(maxsize=1024)
def _at(text: str) -> tuple[Address | None, tuple[Key, ...]]:
    """The address as written, and the keys of items that name it: it is asked for several times with each new line."""
    address = parse_address(text)
    return address, () if address is None else (("address", str(address)),)


def _of_mac(mac: str | None) -> tuple[Key, ...]:
    return () if mac is None else (("mac", bare_mac(mac)),)
