"""Several captures as one sequence: by time where they overlap, one after the other where they do not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import chain, count
from math import inf
from typing import Generic, NamedTuple, Protocol, Self, TypeVar, cast


class Timed(Protocol):
    """What comes one after the other: `times` are seconds since the epoch, `part` lies between two positions."""

    @property
    def times(self) -> Sequence[float]: ...

    def part(self, begin: int, end: int) -> Self: ...


AnyRun = TypeVar("AnyRun", bound=Timed)


class Source(NamedTuple, Generic[AnyRun]):
    """A capture to come: its index, the time of its first packet, and how to start reading it (never empty runs)."""

    capture: int
    first: float
    read: Callable[[], Iterator[AnyRun]]


class _Reading(Generic[AnyRun]):
    """A capture that has been begun: the run at hand, and where in it we are."""

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
        """Whether all its packets are of one time, before any was taken. Where they are more than a run it is not
        known: no."""
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
        """The packets at hand up to a time; at least the next one, when that is not later."""
        begin, run = self._position, cast(AnyRun, self._run)
        end = len(run.times) if limit == inf else bisect_right(run.times, limit, lo=begin)
        self._position = end
        return run if end - begin == len(run.times) else run.part(begin, end)


def in_order(sources: Iterable[Source[AnyRun]]) -> Iterator[tuple[int, AnyRun]]:
    """Runs of packets, each with the index of its capture.

    A capture is opened only when the others have come to its first packet, so a set of ring files needs one open file.
    Within a capture the order of the file is kept, even where its clock steps back. Of packets of one time, as a coarse
    clock makes them, those of the capture that began first come first.
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
    """Begin the capture that waits at the end of a list, with all that begin at the same time: of these the ones that
    end at once, too, come first, for in a ring the others follow them, whatever they are called."""
    first = waiting[-1].first
    begun = [_Reading(waiting.pop())]
    while waiting and waiting[-1].first == first:
        begun.append(_Reading(waiting.pop()))
    return begun if len(begun) == 1 else sorted(begun, key=lambda reading: not reading.is_moment())
