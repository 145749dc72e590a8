"""Items with their messages, read and parsed in batches before they are followed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sipaudit.sip.datagram import Datagram, Item
from sipaudit.sip.forms import Forms, Parsed
from sipaudit.sip.parse import parse

AHEAD = 256             # items parsed in one go


def batches_of(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Group items into batches of AHEAD, the number parsed in one go."""
    rest = iter(items)
    while batch := list(islice(rest, AHEAD)):
        yield batch


def parsed(batch: Sequence[Item]) -> list[Parsed]:
    """The items of a batch with their messages."""
    return [(item, parse(item.payload) if type(item) is Datagram else None, None) for item in batch]


def parsed_ahead(items: Iterable[Item]) -> Iterator[list[Parsed]]:
    """Items with their messages, parsed a batch at a time: alternating between reading, parsing and following for every
    message would add a fifth to the run time, through misses of the processor's caches."""
    return map(parsed, batches_of(items))


def known_ahead(items: Iterable[Item]) -> Iterator[list[Parsed]]:
    """As `parsed_ahead`, but messages of a known form need not be parsed."""
    forms = Forms(parse)
    for batch in batches_of(items):
        forms.turn()
        yield forms.read(batch)
