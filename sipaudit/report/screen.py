"""Drawing for a terminal with rich: tables and lines whose text comes from the wire and is made harmless first."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from sipaudit.safe_text import safe_text

if TYPE_CHECKING:
    from rich.text import Text  # rich takes longer to import than many a capture to read: only where it draws

DEFAULT_PORT = ":5060"
CELL_SHOWN = 120        # characters of a value in a table: a name on the wire can have thousands
PARAGRAPH_SHOWN = 1_000
STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}


class Screen:
    """Gathers what is drawn and gives it as one string; `width` in columns."""

    def __init__(self, width: int, color: bool) -> None:
        from rich.console import Console

        self._out = io.StringIO()
        self._console = Console(
            file=self._out, width=width, force_terminal=color, no_color=not color, color_system="standard" if color
            else None, highlight=False, emoji=False, markup=False, legacy_windows=False,
        )

    @property
    def width(self) -> int:
        return self._console.width

    def title(self, text: str) -> None:
        self._console.print()
        self._console.print(_styled(text, "bold"))

    def say(self, text: str, style: str = "", indent: int = 0) -> None:
        """One paragraph, wrapped at the width and indented as a block."""
        shown = _styled(shortened(safe_text(text), PARAGRAPH_SHOWN), style)
        wrapped = shown.wrap(self._console, max(self._console.width - indent, 20))
        for line in wrapped:
            line.rstrip()
            self._console.print(_styled(" " * indent).append_text(line), no_wrap=True, overflow="ignore", crop=False)

    def raw(self, text: str, style: str = "") -> None:
        """One line as it is, neither wrapped nor cut."""
        self._console.print(_styled(text, style), no_wrap=True, overflow="ignore", crop=False)

    def table(
        self, columns: Sequence[str], rows: Iterable[Iterable[object]], right: frozenset[str] = frozenset(),
        whole: frozenset[str] = frozenset(),
    ) -> None:
        """A plain table; None is drawn as a dash, and a column that is empty throughout is left out. Those named in
        `whole` hold short names, which are not broken."""
        from rich.table import Table

        cells = [list(row) for row in rows]
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        kept = [index for index, _ in enumerate(columns) if any(row[index] is not None for row in cells)]
        for index in kept:
            side: Literal["left", "right"] = "right" if columns[index] in right else "left"
            table.add_column(columns[index], justify=side, overflow="fold", no_wrap=columns[index] in whole)
        for row in cells:
            table.add_row(*(_cell(row[index]) for index in kept))
        self._console.print(table)

    def text(self) -> str:
        """What was drawn, without trailing blanks."""
        lines = (line.rstrip() for line in self._out.getvalue().splitlines())
        return "\n".join(lines).strip("\n") + "\n"


def _cell(value: object) -> str | Text:
    return "-" if value is None else _styled(shortened(safe_text(str(value)), CELL_SHOWN))


def _styled(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style=style)


def shortened(text: str, length: int) -> str:
    """The text, its end replaced by an ellipsis where it is longer than `length` characters."""
    return text if len(text) <= length else f"{text[:length - 1]}…"


def count_of(number: int, noun: str) -> str:
    """`1 phone`, `12 000 phones`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}".replace(",", " ")


def brief(place: str) -> str:
    """A line, phone or server as a table shows it: what every one of them has in common is left out."""
    return place.partition("/")[0].removeprefix("sip:").removesuffix(DEFAULT_PORT)
