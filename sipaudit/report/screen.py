"""Draws tables and text for a terminal with rich; text from the wire is made harmless first."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sipaudit.safe_text import safe_text

if TYPE_CHECKING:
    from rich.text import Text  # importing rich takes longer than reading many a capture: only where needed

DEFAULT_PORT = ":5060"
CELL_SHOWN = 120        # characters of a value in a table: a name on the wire can have thousands
PARAGRAPH_SHOWN = 1_000
GAP = 2                 # characters between two columns
SENTENCES = 24          # characters of a line that sentences need to be readable
_WORDS, _ITEMS = re.compile(r"\s+"), re.compile(r"(?<=,)\s+")
_TIME = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?")   # of the day
STYLES = {"error": "bold red", "warning": "yellow", "info": "cyan"}


class Column:
    """A column of a table: its name and cells, whether it is aligned to the right, and `parted`, where its cells may
    be wrapped. Times of day in it are not broken as long as anything else can be."""

    def __init__(self, name: str, cells: list[str], right: bool, parted: re.Pattern[str]) -> None:
        from rich.cells import cell_len

        self.name, self.cells, self.right = name, cells, right
        self.widest = max(map(cell_len, (name, *cells)))
        words = (word for text in {*name.split(), *cells} for word in parted.split(text))
        self.narrowest = max(map(cell_len, words))
        self.whole = max((len(time[0]) for text in cells for time in _TIME.finditer(text)), default=1)
        self.readable = max(self.narrowest, min(self.widest // 3, SENTENCES))


class Screen:
    """Collects drawn text, which `text` returns as one string; `width` is in characters."""

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

    def more(self, count: int, noun: str, where: str = "--format json", *, of_which: str = "", indent: int = 0) -> None:
        """`12 more moves: see --format json.`: how many are not shown, and where they are; nothing if there are none.
        """
        if count > 0:
            self.say(f"{count_of(count, f'more {noun}')}{of_which}: see {where}.", indent=indent)

    def raw(self, text: str, style: str = "") -> None:
        """One line, neither wrapped nor cut, nor made harmless."""
        self._console.print(_styled(text, style), no_wrap=True, overflow="ignore", crop=False)

    def table(
        self, columns: Sequence[str], rows: Iterable[Iterable[object]], right: frozenset[str] = frozenset(),
        lists: frozenset[str] = frozenset(), least: Sequence[str] = (),
    ) -> None:
        """A plain table; None is drawn as a dash, and a column without any value is left out. Cells are wrapped between
        words, in the columns `lists` after commas. If that is not enough, the columns `least` are left out, in their
        order, and named below."""
        cells = [[None if value is None else shortened(safe_text(str(value)), CELL_SHOWN) for value in row]
                 for row in rows]
        kept = [Column(name, ["-" if row[index] is None else str(row[index]) for row in cells], name in right,
                       _ITEMS if name in lists else _WORDS)
                for index, name in enumerate(columns) if any(row[index] is not None for row in cells)]
        shown = _with_room(kept, self.width, least)
        self._draw(shown, _widths(shown, self.width))
        if len(shown) < len(kept):
            self.say(f"Columns that did not fit: {', '.join(column.name for column in kept if column not in shown)}.")

    def _draw(self, columns: Sequence[Column], widths: Sequence[int]) -> None:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        for column, width in zip(columns, widths, strict=True):
            table.add_column(column.name, justify="right" if column.right else "left", overflow="fold", width=width)
        for row in zip(*(column.cells for column in columns), strict=True):
            table.add_row(*map(_styled, row))
        self._console.print(table)

    def text(self) -> str:
        """What was drawn, without trailing blanks."""
        lines = (line.rstrip() for line in self._out.getvalue().splitlines())
        return "\n".join(lines).strip("\n") + "\n"


def _with_room(columns: Sequence[Column], width: int, least: Sequence[str]) -> list[Column]:
    """The columns that are drawn: without those of `least`, in their order, until the others are readable."""
    shown = list(columns)
    for name in least:
        if _taken(column.readable for column in shown) <= width:
            break
        shown = [column for column in shown if column.name != name]
    return shown


def _widths(columns: Sequence[Column], width: int) -> list[int]:
    """The width of each column: the widest are narrowed first, and words are broken only if there is no other way."""
    breaks = _taken(column.narrowest for column in columns) > width
    widths = [column.narrowest if breaks else column.widest for column in columns]
    while _taken(widths) > max(width, _taken([1] * len(widths))):
        yielding = [index for index, column in enumerate(columns)
                    if widths[index] > (column.whole if breaks else column.narrowest)]
        yielding = yielding or [index for index, each in enumerate(widths) if each > 1]
        widths[max(yielding, key=widths.__getitem__)] -= 1
    return widths


def _taken(widths: Iterable[int]) -> int:
    """The width of a table with columns of these widths."""
    each = list(widths)
    return sum(each) + GAP * (len(each) - 1)


def _styled(text: str, style: str = "") -> Text:
    from rich.text import Text

    return Text(text, style=style)


def shortened(text: str, length: int) -> str:
    """The text, cut to `length` characters with an ellipsis at the end if it is longer."""
    return text if len(text) <= length else f"{text[:length - 1]}…"


def count_of(number: int, noun: str) -> str:
    """`1 phone`, `12,000 phones`: unlike a space, a comma allows no line break, and every terminal has it."""
    return f"{grouped(number)} {noun}{'' if number == 1 else 's'}"


def grouped(number: int) -> str:
    """`12,000`."""
    return f"{number:,}"


def counts_by_name(counts: Mapping[str, int]) -> str:
    """`1,200 premature-failback, 4 flapping`."""
    return ", ".join(f"{grouped(count)} {name}" for name, count in counts.items())


def brief(place: str) -> str:
    """A line, phone or server as tables show it: without `sip:`, the default port and the transport."""
    return place.partition("/")[0].removeprefix("sip:").removesuffix(DEFAULT_PORT)
