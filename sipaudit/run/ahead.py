"""Items with their messages, read and parsed ahead of those who follow them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.message import Message
from sipaudit.sip.parse import parse

AHEAD = 256             # items parsed in one go

Parsed = tuple[Item, Message | None]


def runs_ahead(items: Iterable[Item]) -> Iterator[list[Parsed]]:
    """Items with their messages, a run of them at a time: going to and fro between reading, parsing and following with
    every message would cost a fifth of the whole, in what the processor's caches then lack."""
    rest = iter(items)
    while ahead := list(islice(rest, AHEAD)):
        messages = [parse(item.payload) if type(item) is Datagram else None for item in ahead]
        yield list(zip(ahead, messages, strict=True))


def parsed_ahead(items: Iterable[Item]) -> Iterator[Parsed]:
    """The same, item by item."""
    return chain.from_iterable(runs_ahead(items))
