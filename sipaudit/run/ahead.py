"""Items with their messages, read and parsed ahead of those who follow them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.forms import Forms, Parsed
from sipaudit.sip.parse import parse

AHEAD = 256             # items parsed in one go


def batches_of(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Items a batch at a time: as many as are parsed in one go."""
    rest = iter(items)
    while batch := list(islice(rest, AHEAD)):
        yield batch


def parsed(batch: Sequence[Item]) -> list[Parsed]:
    """The items of a batch with their messages."""
    return [(item, parse(item.payload) if type(item) is Datagram else None, None) for item in batch]


def parsed_ahead(items: Iterable[Item]) -> Iterator[list[Parsed]]:
    """Items with their messages, parsed a batch at a time: going to and fro between reading, parsing and following with
    every message would cost a fifth of the whole, in what the processor's caches then lack."""
    return map(parsed, batches_of(items))


def known_ahead(items: Iterable[Item]) -> Iterator[list[Parsed]]:
    """The same, where messages that are like earlier ones need not be parsed."""
    forms = Forms(parse)
    for batch in batches_of(items):
        forms.turn()
        yield forms.read(batch)
