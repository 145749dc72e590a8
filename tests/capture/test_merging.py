"""Captures are merged in the order of their packets, even where a coarse clock gives several packets the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from sipaudit.capture.merging import Source, in_order


class Packets(NamedTuple):
    """A run of which only the times matter."""

    times: Sequence[float]

    def part(self, begin: int, end: int) -> Packets:
        return Packets(self.times[begin:end])


def source(capture: int, *runs: Sequence[float]) -> Source[Packets]:
    def read() -> Iterator[Packets]:
        return map(Packets, runs)

    return Source(capture, runs[0][0], read)


def merged(*sources: Source[Packets]) -> list[tuple[int, float]]:
    """The capture and time of each packet."""
    return [(capture, time) for capture, run in in_order(sources) for time in run.times]


def test_captures_that_overlap_are_merged_packet_by_packet() -> None:
    assert merged(source(0, [1, 3], [5]), source(1, [2, 4, 6])) == [(0, 1), (1, 2), (0, 3), (1, 4), (0, 5), (1, 6)]


@pytest.mark.parametrize("older", [0, 1])
def test_of_one_time_the_packets_of_the_capture_that_began_first_come_first(older: int) -> None:
    """The next file of a ring may begin in the clock tick in which the one before it ends, in a run of its own."""
    newer = 1 - older
    assert merged(source(older, [1, 2], [2, 2], [2]), source(newer, [2, 2, 3])) == [
        (older, time) for time in (1, 2, 2, 2, 2)] + [(newer, time) for time in (2, 2, 3)]


@pytest.mark.parametrize("older", [0, 1])
def test_a_file_that_begins_and_ends_in_one_tick_comes_before_the_one_that_goes_on(older: int) -> None:
    newer = 1 - older
    assert merged(source(older, [1, 1]), source(newer, [1], [1, 2])) == [
        (older, 1), (older, 1), (newer, 1), (newer, 1), (newer, 2)]


def test_of_files_that_are_all_of_one_tick_nothing_tells_the_order_but_their_own() -> None:
    assert merged(source(1, [1, 1]), source(0, [1])) == [(0, 1), (1, 1), (1, 1)]


def test_a_capture_without_a_packet_is_none() -> None:
    nothing: Source[Packets] = Source(0, 1.0, lambda: iter(()))
    assert merged(nothing, source(1, [1, 2])) == [(1, 1), (1, 2)]
