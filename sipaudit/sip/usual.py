"""What is remembered of the lines of usual messages, by their bytes, one kind of line at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from sipaudit.sip.lines import MAX_REMEMBERED, Memo
from sipaudit.sip.message import Address, Uri


class Tail(Struct, frozen=True, gc=False, array_like=True):
    """What the lines behind the first ones say, but for credentials and challenge; `length` is their Content-Length."""

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
    """Of a line that takes the general way to tell."""


class Lines(dict[bytes, Any]):
    """What lines of one kind say, of the last moments. One that is not there is read; raises Unusual if it has to be
    read otherwise."""

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
    """The same of lines that last; `keep` remembers one."""

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
