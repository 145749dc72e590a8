"""Items with their messages, read and parsed ahead of those who follow them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.forms import Forms, Parsed
from sipaudit.sip.parse import parse

AHEAD = 256             # items parsed in one go


def runs_of(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Items a run at a time."""
    rest = iter(items)
    while run := list(islice(rest, AHEAD)):
        yield run


def parsed(run: Sequence[Item]) -> list[Parsed]:
    """The items of a run with their messages."""
    return [(item, parse(item.payload) if type(item) is Datagram else None, None) for item in run]


def parsed_ahead(items: Iterable[Item]) -> Iterator[list[Parsed]]:
    """Items with their messages, parsed a run at a time: going to and fro between reading, parsing and following with
    every message would cost a fifth of the whole, in what the processor's caches then lack."""
    return map(parsed, runs_of(items))


def known_ahead(items: Iterable[Item]) -> Iterator[list[Parsed]]:
    """The same, where messages that are like earlier ones need not be parsed."""
    forms = Forms(parse)
    for run in runs_of(items):
        forms.turn()
        yield forms.read(run)
