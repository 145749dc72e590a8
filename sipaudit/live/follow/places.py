"""Numbers the packets of many files in one sequence, and maps a number back to its file and Wireshark frame."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from sipaudit.turned_away import turned_away

STRETCHES_KEPT = 10_000  # stretches that are remembered: as many files, if each is read without a break

Row = tuple[int, int, str]
"""The first number of a stretch, the offset to subtract from a number to get the frame, and the file's path."""


class Places:
    """The stretches of packets that were read from one file without a break, in order; the oldest are forgotten.

    Paths are queried when they are needed, since files may be renamed (`tcpdump -z gzip`).
    """

    def __init__(self, last: int = 0, rows: Sequence[Row] = ()) -> None:
        self.last = last
        self._begins = [begin for begin, _, _ in rows]
        self._shifts = [shift for _, shift, _ in rows]
        self._paths: list[Callable[[], str]] = [_constant(path) for _, _, path in rows]
        self._reading: object = None

    def numbered(self, file: object, path: Callable[[], str], first: int, packets: int) -> int:
        """The number of the `first` frame of so many `packets`, which were read just now from `file`."""
        if file is not self._reading or not self._begins:
            self._reading = file
            self._begin(path, self.last + 1 - first)
        number = first + self._shifts[-1]
        self.last = number + packets - 1
        return number

    def place(self, number: int) -> tuple[str, int] | None:
        """Path and frame; None for numbers that are forgotten or were never assigned."""
        at = bisect_right(self._begins, number) - 1
        return None if at < 0 or number > self.last else (self._paths[at](), number - self._shifts[at])

    def rows(self, most: int) -> list[Row]:
        """The latest stretches, at most so many, from which another run makes its `Places`."""
        return [(begin, shift, path()) for begin, shift, path in
                list(zip(self._begins, self._shifts, self._paths, strict=True))[-most:]]

    def _begin(self, path: Callable[[], str], shift: int) -> None:
        if len(self._begins) >= STRETCHES_KEPT:
            for column in (self._begins, self._shifts, self._paths):
                del column[: STRETCHES_KEPT // 10]
            turned_away("followed", STRETCHES_KEPT // 10)
        self._begins.append(self.last + 1)
        self._shifts.append(shift)
        self._paths.append(path)


def _constant(path: str) -> Callable[[], str]:
    return lambda: path
