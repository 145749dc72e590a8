"""Merges several captures into one sequence: by time where they overlap, one after the other where they do not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import chain, count
from math import inf
from typing import Generic, NamedTuple, Protocol, Self, TypeVar, cast


class Timed(Protocol):
    """A sequence of packets: `times` are seconds since the epoch, `part` gives those between two positions."""

    @property
    def times(self) -> Sequence[float]: ...

    def part(self, begin: int, end: int) -> Self: ...


AnyRun = TypeVar("AnyRun", bound=Timed)


class Source(NamedTuple, Generic[AnyRun]):
    """A capture not yet opened: its index, the time of its first packet, and how to read it (runs are never empty)."""

    capture: int
    first: float
    read: Callable[[], Iterator[AnyRun]]


class _Reading(Generic[AnyRun]):
    """A capture being read: the current run, and our position in it."""

    def __init__(self, source: Source[AnyRun]) -> None:
        self.capture = source.capture
        self._runs = source.read()
        self._run: AnyRun | None = None
        self._position = 0

    def head(self) -> float | None:
        """The time of the next packet, None at the end."""
        if self._run is None or self._position == len(self._run.times):
            self._run = next(self._runs, None)
            self._position = 0
        return None if self._run is None else self._run.times[self._position]

    def is_moment(self) -> bool:
        """Whether all packets of the capture have the same time; to be called before any is taken. If they are more
        than one run this is not known, and the answer is no."""
        if self.head() is None:
            return True
        times = cast(AnyRun, self._run).times
        if times[0] != times[-1]:
            return False
        following = next(self._runs, None)
        if following is not None:
            self._runs = chain((following,), self._runs)
        return following is None

    def take(self, limit: float) -> AnyRun:
        """The packets of the current run from our position up to the time `limit`, inclusive."""
        begin, run = self._position, cast(AnyRun, self._run)
        end = len(run.times) if limit == inf else bisect_right(run.times, limit, lo=begin)
        self._position = end
        return run if end - begin == len(run.times) else run.part(begin, end)


def in_order(sources: Iterable[Source[AnyRun]]) -> Iterator[tuple[int, AnyRun]]:
    """Runs of packets, each with the index of its capture.

    A capture is opened only when the others have reached the time of its first packet, so a set of ring files needs
    only one open file. Within a capture file order is kept, even where its clock steps back. Of packets with the same
    time, as a coarse clock produces them, those of the capture that was begun first come first.
    """
    waiting = sorted(sources, key=lambda source: (source.first, source.capture), reverse=True)
    begun: list[tuple[float, int, _Reading[AnyRun]]] = []
    turn = count()

    def push(reading: _Reading[AnyRun], turn: int) -> None:
        head = reading.head()
        if head is not None:
            heappush(begun, (head, turn, reading))

    while waiting or begun:
        if waiting and (not begun or waiting[-1].first <= begun[0][0]):
            for reading in _begin(waiting):
                push(reading, next(turn))
            continue
        _, its_turn, reading = heappop(begun)
        limit = min(begun[0][0] if begun else inf, waiting[-1].first if waiting else inf)
        yield reading.capture, reading.take(limit)
        push(reading, its_turn)


def _begin(waiting: list[Source[AnyRun]]) -> list[_Reading[AnyRun]]:
    """Begin the last capture of the list, and all others that start at the same time. Of these, captures whose packets
    all have that time come first: in a ring, the others follow them, whatever their names."""
    first = waiting[-1].first
    begun = [_Reading(waiting.pop())]
    while waiting and waiting[-1].first == first:
        begun.append(_Reading(waiting.pop()))
    return begun if len(begun) == 1 else sorted(begun, key=lambda reading: not reading.is_moment())
