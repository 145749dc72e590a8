"""One sequence of numbers for the packets of many files, and back from a number to its file and Wireshark's frame."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from sipaudit.turned_away import turned_away

STRETCHES_KEPT = 10_000  # stretches that are remembered: so many files, if each is read in one go

Row = tuple[int, int, str]
"""The number with which a stretch begins, what to take from a number to have the frame, and the file's path."""


class Places:
    """The stretches in which files were read, one after the other; of the oldest the file is forgotten.

    Paths are asked for when they are needed, for files are renamed (`tcpdump -z gzip`).
    """

    def __init__(self, last: int = 0, rows: Sequence[Row] = ()) -> None:
        self.last = last
        self._begins = [begin for begin, _, _ in rows]
        self._shifts = [shift for _, shift, _ in rows]
        self._paths: list[Callable[[], str]] = [_constant(path) for _, _, path in rows]
        self._reading: object = None

    def numbered(self, file: object, path: Callable[[], str], first: int, packets: int) -> int:
        """The number of the packet with this frame, which is followed by so many less one, all read of `file` now."""
        if file is not self._reading or not self._begins:
            self._reading = file
            self._begin(path, self.last + 1 - first)
        number = first + self._shifts[-1]
        self.last = number + packets - 1
        return number

    def place(self, number: int) -> tuple[str, int] | None:
        """Path and frame; None for what was forgotten, or never was."""
        at = bisect_right(self._begins, number) - 1
        return None if at < 0 or number > self.last else (self._paths[at](), number - self._shifts[at])

    def rows(self, most: int) -> list[Row]:
        """The latest stretches, for `Places` made anew."""
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
