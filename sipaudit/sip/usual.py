"""Caches for the lines of usual messages: parsed values by the bytes of the line, one cache per kind of line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from sipaudit.sip.lines import MAX_REMEMBERED, Memo
from sipaudit.sip.message import Address, Uri


class Tail(Struct, frozen=True, gc=False, array_like=True):
    """The values of a message's lines after the leading ones, without credentials and challenge; `length` is the
    Content-Length."""

    length: int | None
    expires: int | None
    user_agent: str | None
    event: str | None
    min_expires: int | None
    retry_after: int | None
    contacts: tuple[Address, ...]
    routes: tuple[Uri, ...]
    ends: bool


class Unusual(Exception):
    """Raised for a line that only the general parser can read."""


class Lines(dict[bytes, Any]):
    """A cache of recent lines of one kind. A missing line is parsed by `read` and cached; raises Unusual if that gives
    None."""

    __slots__ = ("_limit", "_read")

    def __init__(self, read: Callable[[bytes], Any], limit: float) -> None:
        super().__init__()
        self._read = read
        self._limit = limit

    def __missing__(self, line: bytes) -> Any:
        said = self._read(line)
        if said is None:
            raise Unusual
        if len(line) <= MAX_REMEMBERED:
            if len(self) >= self._limit:
                self.clear()
            self[line] = said
        return said


class LastingLines(Memo[Any]):
    """A cache of lasting lines of one kind, otherwise like `Lines`; `keep` stores a parsed value."""

    __slots__ = ("_keep", "_read")

    def __init__(self, read: Callable[[bytes], Any], keep: Callable[[Memo[Any], bytes, Any], Any]) -> None:
        super().__init__()
        self._read = read
        self._keep = keep

    def __missing__(self, line: bytes) -> Any:
        said = self._read(line)
        if said is None:
            raise Unusual
        return self._keep(self, line, said)
