"""Several captures as one sequence: by time where they overlap, one after the other where they do not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from math import inf
from operator import itemgetter
from typing import Any, Generic, NamedTuple, TypeVar

Timed = TypeVar("Timed", bound=tuple[Any, ...])
"""A tuple that begins with its time in seconds since the epoch, as a packet does."""

_time = itemgetter(0)


class Source(NamedTuple, Generic[Timed]):
    """A capture to come: its index, the time of its first packet, and how to start reading it (never empty lists)."""

    capture: int
    first: float
    read: Callable[[], Iterator[list[Timed]]]


class _Reading(Generic[Timed]):
    """A capture that has been begun: the list at hand, and where in it we are."""

    def __init__(self, source: Source[Timed]) -> None:
        self.capture = source.capture
        self._lists = source.read()
        self._list: list[Timed] = []
        self._position = 0

    def head(self) -> float | None:
        """The time of the next packet, None at the end."""
        if self._position == len(self._list):
            self._list = next(self._lists, [])
            self._position = 0
        return self._list[self._position][0] if self._list else None

    def take(self, limit: float) -> list[Timed]:
        """The packets at hand up to a time; at least the next one, when that is not later."""
        begin, whole = self._position, self._list
        self._position = len(whole) if limit == inf else bisect_right(whole, limit, lo=begin, key=_time)
        return whole if self._position - begin == len(whole) else whole[begin : self._position]


def in_order(sources: Iterable[Source[Timed]]) -> Iterator[tuple[int, list[Timed]]]:
    """Runs of packets, each with the index of its capture.

    A capture is opened only when the others have come to its first packet, so a set of ring files needs one open file.
    Within a capture the order of the file is kept, even where its clock steps back.
    """
    waiting = sorted(sources, key=lambda source: (source.first, source.capture), reverse=True)
    begun: list[tuple[float, int, _Reading[Timed]]] = []

    def push(reading: _Reading[Timed]) -> None:
        head = reading.head()
        if head is not None:
            heappush(begun, (head, reading.capture, reading))

    while waiting or begun:
        if waiting and (not begun or waiting[-1].first <= begun[0][0]):
            push(_Reading(waiting.pop()))
            continue
        _, capture, reading = heappop(begun)
        limit = min(begun[0][0] if begun else inf, waiting[-1].first if waiting else inf)
        yield capture, reading.take(limit)
        push(reading)
