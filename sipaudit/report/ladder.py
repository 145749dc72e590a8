"""The call-flow ladder of `sipaudit ladder`: a column for each address, an arrow for each message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo

from msgspec import Struct

from sipaudit.report.screen import Screen
from sipaudit.safe_text import safe_text
from sipaudit.sip.datagram import host_of
from sipaudit.times import TimeStyle, format_time

COLUMNS_MAX = 6      # columns at most; further addresses share the last and are named in the line
COLUMN_MIN = 16
CLOCK_WIDTH = 13     # 12:03:04.123 and a blank


class LadderRow(Struct, frozen=True):
    """One message. `source` and `destination` are `host:port`; `repeat` marks a retransmission, `mark` is the id of a
    finding of which this message is evidence."""

    time: float
    capture: str
    frame: int
    source: str
    destination: str
    text: str
    repeat: bool = False
    mark: str | None = None
    transport: str = "udp"


def render(rows: Sequence[LadderRow], clock: tzinfo, width: int, color: bool) -> str:
    """The messages as a ladder of `width` characters, times by `clock`; each day begins with a line of its date."""
    screen = Screen(width, color)
    if not rows:
        screen.say("No SIP message matches.")
        return screen.text()
    ends, files = _ends(rows), _files(rows)
    for path, sign in files.items():
        screen.raw(f"frames {sign}#: {safe_text(path)}", style="dim")
    places = _places(rows, ends)
    widest = max(len(_frame(row, files)) for row in rows)
    column = max(COLUMN_MIN, (width - CLOCK_WIDTH - widest - 1) // len(places))
    screen.raw(" " * CLOCK_WIDTH + "".join(_heading(place, column) for place in places), style="bold")
    day = ""
    for row in rows:
        today = format_time(row.time, clock, TimeStyle.FULL)[:10]
        if today != day:
            screen.raw(today)
            day = today
        screen.raw(f"{_line(row, ends, places, column, clock)} {_frame(row, files)}",
                   style="red" if row.mark else "dim" if row.repeat else "")
    return screen.text()


def _ends(rows: Iterable[LadderRow]) -> dict[str, str]:
    """The places of addresses that share one: a host with several ports that are not UDP (it opens a connection from
    each) is one place, named after the host."""
    streams: dict[str, set[str]] = {}
    for row in rows:
        for end in (row.source, row.destination):
            if row.transport != "udp":
                streams.setdefault(host_of(end), set()).add(end)
    return {end: host for host, ends in streams.items() if len(ends) > 1 for end in ends}


def _places(rows: Iterable[LadderRow], ends: dict[str, str]) -> list[str]:
    """The places in order of first appearance; if they are too many, the rest share the last column."""
    seen = list(dict.fromkeys(ends.get(end, end) for row in rows for end in (row.source, row.destination)))
    return seen if len(seen) <= COLUMNS_MAX else [*seen[:COLUMNS_MAX - 1], "others"]


def _files(rows: Iterable[LadderRow]) -> dict[str, int]:
    """Numbers for the captures if there are several, since each has its own frame numbers."""
    paths = list(dict.fromkeys(row.capture for row in rows))
    return {path: number for number, path in enumerate(paths, 1)} if len(paths) > 1 else {}


def _frame(row: LadderRow, files: dict[str, int]) -> str:
    return f"{files.get(row.capture, '')}#{row.frame}{' ' + row.mark if row.mark else ''}"


def _heading(place: str, width: int) -> str:
    """The place as a heading; a long address loses its beginning, as addresses of one network differ at the end."""
    shown = safe_text(place)
    return (shown if len(shown) < width else f"…{shown[2 - width:]}").ljust(width)


def _line(row: LadderRow, ends: dict[str, str], places: list[str], column: int, clock: tzinfo) -> str:
    start, end = (_column(ends.get(end, end), places) for end in (row.source, row.destination))
    left, right = min(start, end), max(start, end)
    text = safe_text(row.text) + (" (again)" if row.repeat else "")
    if places[right] == "others":
        text += f" [{row.source} > {row.destination}]"
    span = max(right - left, 1) * column
    arrow = _arrow(text, span, forward=start <= end)
    body = (" " * (left * column) + arrow).ljust(len(places) * column)
    return f"{format_time(row.time, clock, TimeStyle.CLOCK)} {body}"


def _column(place: str, places: list[str]) -> int:
    return places.index(place) if place in places else len(places) - 1


def _arrow(text: str, span: int, *, forward: bool) -> str:
    """`|--INVITE------->` or `<--200 OK--------|`, of `span` columns."""
    room = span - 4
    label = text if len(text) <= room else text[:max(room - 2, 1)] + ".."
    line = f"{label} ".ljust(room, "-")
    return f"|-{line}->" if forward else f"<-{line}-|"
