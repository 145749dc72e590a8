"""The lines of the page: columns of all of them for the filters, and blocks with their lanes, drawn on demand.

Times are milliseconds of the page's clock, servers are numbers, and -1 means not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from sipaudit.model.history import when_turned
from sipaudit.model.values import LineSummary, Move
from sipaudit.report.html.index import NOT_THERE, Index, Numbers
from sipaudit.report.html.inert import PATH, inert
from sipaudit.report.html.packing import Block, packed_parts

LANES = 200         # lines in a block: what two or three screens show
ROWS = 500          # most rows of each kind in a lane, the last ones; the report's JSON has all


class Stay(msgspec.Struct, frozen=True):
    """The time in which a line worked with a server (seconds since the epoch). `leaving` is when it began to look for
    another server, None if it did not have to."""

    server: str
    since: float
    until: float
    leaving: float | None


def stays(line: LineSummary, end: float) -> Iterator[Stay]:
    """The stays of a line, in order. The last one lasts until the line was last seen or its registration expires, at
    most until `end`, the end of the captures."""
    since, server = line.first, line.moves[0].from_ if line.moves else line.working
    for move in line.moves:
        if server is not None:
            yield Stay(server, since, move.time, _leaving(move, since))
        since, server = move.time, move.to
    if server is not None:
        yield Stay(server, since, max(since, _seen_until(line, end)), None)


def _leaving(move: Move, since: float) -> float | None:
    """When the line began to look for another server; None unless it moved by failover. One that returns needs no other
    server, however long it tries: it works with its server until the first one has it back."""
    return noticed(move, since) if move.kind == "failover" else None


def noticed(move: Move, since: float) -> float:
    """When a line that had worked with a server from `since` on began to look for another: at its first unanswered
    packet, otherwise at the first one sent elsewhere. The evidence of the move may also have requests to that server
    that timed out before `since`; these do not count here."""
    evidence = (frame.time for frame in move.evidence if frame.time >= since)
    return max(since, min([when_turned(move), move.time, *evidence]))


def _seen_until(line: LineSummary, end: float) -> float:
    registered = [end if row.until is None else row.until for row in line.registrations if row.end is None]
    return min(max([line.last, *registered]), end)


class Lanes:
    """Makes the columns of all lines, and the blocks with what is drawn of each."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._groups, self._entries, self._kinds = Numbers(), Numbers(), Numbers()
        self._settings = Numbers()
        self._stays = [list(stays(line, index.clock.end)) for line in index.lines]
        self._known: dict[int, str] = {}    # settings as text, by id: the report holds them

    def columns(self) -> dict[str, Any]:
        """A list for each value by which the page filters, sorts or labels lines, in the order of the page."""
        lines, server = self._index.lines, self._index.servers.of
        columns: dict[str, Any] = {
            "line": [inert(line.line) for line in lines], "phone": [inert(line.phone) for line in lines],
            "label": [inert(line.label) for line in lines], "group": [self._groups.of(line.group) for line in lines],
            "entry": [self._entries.of(line.entry) for line in lines],
            "kind": [self._kinds.of(_kind(line)) for line in lines],
            "working": [server(line.working) for line in lines], "calls": [line.calls for line in lines],
            "moves": [len(line.moves) for line in lines],
            "severities": [self._index.severities(line) for line in lines],
            "used": [sorted({server(stay.server) for stay in each}) for each in self._stays],
            "settings": [self._settings.of(self._settings_of(line)) for line in lines],
        }
        columns |= {"groups": _all(self._groups), "entries": _all(self._entries), "kinds": _all(self._kinds),
                    "settingSets": [msgspec.json.decode(each) for each in self._settings], "lanes": LANES}
        return columns

    def blocks(self) -> Iterator[Block]:
        """The lanes of all lines, LANES to a block."""
        lines = list(zip(self._index.lines, self._stays, strict=True))
        return packed_parts("lanes", lines, LANES, lambda pair: self._lane(*pair))

    def _settings_of(self, line: LineSummary) -> str:
        """The settings of a line as JSON; lines that share one object have it encoded once."""
        text = self._known.get(id(line.settings))
        if text is None:
            text = self._known[id(line.settings)] = _settings(line)
        return text

    def _lane(self, line: LineSummary, stayed: list[Stay]) -> dict[str, Any]:
        ms, server = self._index.clock.ms, self._index.servers.of
        return {
            "stays": [[server(stay.server), ms(stay.since), ms(stay.until), ms(stay.leaving)]
                      for stay in _last(stayed)],
            "registrations": [[server(row.server), ms(row.from_), _or(ms(row.until)), row.expires, row.refreshes,
                               row.end] for row in _last(line.registrations)],
            "moves": [[ms(move.time), move.kind, server(move.from_), server(move.to), move.cause]
                      for move in _last(line.moves)],
            "tries": [[ms(each.time), server(each.server), each.method, each.result] for each in _last(line.tries)],
            "calls": [[_or(ms(call.from_)), _or(ms(call.up)), _or(ms(call.until)), server(call.server), call.tries]
                      for call in _last(line.call_spans)],
            "seen": [ms(line.first), ms(line.last)], "contact": inert(line.contact),
            "agent": inert(line.user_agent), "mac": inert(line.mac), "firmware": inert(line.firmware),
            "open": [[row.rule, row.reason, row.count] for row in line.inconclusive], "declare": line.declare,
        }


def _last(rows: Any) -> list[Any]:
    return list(rows)[-ROWS:]


def _or(time: int | None) -> int:
    return NOT_THERE if time is None else time


def _all(numbers: Numbers) -> list[str]:
    return [inert(value) for value in numbers]


def _kind(line: LineSummary) -> str | None:
    """The model, regime and mode as one text: `VVX_500 · R2 · duration`."""
    parts = [part for part in (line.model, line.regime, line.mode) if part is not None]
    return " · ".join(parts) or None


def _settings(line: LineSummary) -> str:
    """The settings as JSON: most lines have the same as others, so each set is in the page once."""
    rows = {name: [_shown(each.value), inert(each.source, PATH), each.origin] for name, each in line.settings.items()}
    return msgspec.json.encode(rows).decode()


def _shown(value: int | str | None) -> int | str | None:
    return inert(value) if isinstance(value, str) else value
