"""The console of a live run: a view redrawn every second on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from datetime import tzinfo
from typing import TextIO

from rich.console import Console as Terminal
from rich.console import RenderableType

from sipaudit.live.lines import Lines
from sipaudit.live.view import View
from sipaudit.live.writer import Writer
from sipaudit.model.sayings import Saying

# The terminal's alternate screen, as in `top`: what was shown before comes back afterwards.
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, LINE_END, REST = "\x1b[H", "\x1b[K\n", "\x1b[J"
SIZE = (100, 40)       # columns and rows, where the terminal does not report its size
SMALLEST = (40, 12)


def console(stream: TextIO, title: str, clock: tzinfo, log: Sequence[str] = ()) -> Screen | Lines:
    """The Sink for this stream. `title` names the sources; `log` holds the last lines of the log, and keeps changing
    (only the view shows them). Colours on a terminal only, and not when NO_COLOR is set (no-color.org)."""
    if not is_terminal(stream):
        return Lines(stream, clock)
    return Screen(stream, View(title, clock), bool(os.environ.get("NO_COLOR")), log)


def is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "")


class Screen:
    """A Sink that draws a view on a terminal once a second."""

    def __init__(self, stream: TextIO, view: View, plain: bool, log: Sequence[str] = ()) -> None:
        self._stream = stream
        self._view = view
        self._plain = plain
        self._log = log
        self._now = 0.0
        self._writer = Writer(stream)
        self._begin = ENTER

    def take(self, saying: Saying) -> None:
        self._view.take(saying)

    def learn(self, saying: Saying) -> None:
        self._view.take(saying)

    def turn(self, now: float) -> None:
        self._now = now
        if self._writer.waiting:     # the terminal is stopped: this drawing would be stale when it is shown
            return
        size = self._size()
        rows = self._drawn(now, size).splitlines()[: size[1] - 1]
        self._writer.put(self._begin + HOME + LINE_END.join(rows) + LINE_END + REST)
        self._begin = ""

    def close(self) -> None:
        """Go back to the previous screen, and leave the last drawing on it."""
        last = LEAVE + self._drawn(self._now, self._size()) if self._now else ""
        self._writer.close(last=last)

    def _drawn(self, now: float, size: tuple[int, int]) -> str:
        return draw(self._view.drawing(now, size[1], list(self._log)), size[0], self._plain)

    def _size(self) -> tuple[int, int]:
        """Columns and rows, queried each time, since a window may be resized."""
        try:
            size = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            size = os.terminal_size(SIZE)
        columns, rows = (have or usual for have, usual in zip(size, SIZE, strict=True))
        return max(columns, SMALLEST[0]), max(rows, SMALLEST[1])


def draw(drawing: RenderableType, width: int, plain: bool) -> str:
    """The drawing as text for a terminal of `width` columns; `plain`: without colours."""
    out = io.StringIO()
    terminal = Terminal(
        file=out, width=width, force_terminal=True, no_color=plain, color_system="standard", highlight=False,
        emoji=False, markup=False, legacy_windows=False, _environ={},
    )
    terminal.print(drawing)
    return out.getvalue()
