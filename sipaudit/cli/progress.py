"""How far the reading is: a bar on a terminal, a line each tenth elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sipaudit.cli import terminal

if TYPE_CHECKING:
    from sipaudit.run.reading import Progress

MEGABYTE = 1_000_000
ROOMY = 60                # columns in which there is room for sizes and the rate; else the share that is read
WIDEST = 40               # columns of the bar itself
SIZES, SHARE = 46, 23     # columns of all else, at the most


@contextmanager
def progress(wanted: bool | None, *, streaming: bool = False) -> Iterator[Progress | None]:
    """The progress display for one run, or None; `wanted` None means: when stderr is a terminal.

    `streaming`: results appear while the capture is read, so by default a terminal that shows them gets no bar.
    """
    on_terminal = sys.stderr.isatty()
    if wanted is None:
        wanted = on_terminal and terminal.verbosity() >= 0 and not (streaming and sys.stdout.isatty())
    if not wanted:
        yield None
        return
    display: Progress = Bar() if on_terminal else Lines()
    try:
        yield display
    finally:
        display.stop()


class Bar:
    """Bytes read, rate and time left, drawn with rich."""

    def __init__(self) -> None:
        from rich import progress as drawn
        from rich.console import Console

        console = Console(stderr=True)
        told = (drawn.DownloadColumn(), drawn.TransferSpeedColumn()) if console.width >= ROOMY else (
            drawn.TaskProgressColumn(),)
        width = min(WIDEST, console.width - (SIZES if console.width >= ROOMY else SHARE))
        self._bar = drawn.Progress(
            "reading", drawn.BarColumn(max(width, 1)), *told, drawn.TimeRemainingColumn(),
            console=console, transient=True,
            redirect_stdout=False,  # else results would be drawn above the bar, on stderr
        )
        self._task = self._bar.add_task("reading", total=None)

    def start(self, total_bytes: int) -> None:
        self._bar.update(self._task, total=total_bytes or None)
        self._bar.start()

    def advance(self, n: int) -> None:
        self._bar.advance(self._task, n)

    def stop(self) -> None:
        self._bar.stop()


class Lines:
    """The same in plain lines, one each tenth of the way, for `--progress` into a log."""

    def __init__(self) -> None:
        self._total = self._read = self._tenths = 0
        self._began = time.monotonic()

    def start(self, total_bytes: int) -> None:
        self._total, self._began = total_bytes, time.monotonic()

    def advance(self, n: int) -> None:
        self._read += n
        tenths = self._read * 10 // self._total if self._total else self._read // (100 * MEGABYTE)
        if tenths > self._tenths:
            self._tenths = tenths
            terminal.complain(self._line())

    def stop(self) -> None:
        """Nothing to take down."""

    def _line(self) -> str:
        rate = self._read / max(time.monotonic() - self._began, 1e-6)
        line = f"read {self._read / MEGABYTE:.1f} MB"
        if self._total:
            left = max(self._total - self._read, 0) / rate
            line += f" of {self._total / MEGABYTE:.1f} MB, {left:.0f} s left"
        return f"{line}, {rate / MEGABYTE:.1f} MB/s"
