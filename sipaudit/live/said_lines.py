"""Says lines, their moves, tries, registrations and calls, and servers: when first seen and when they change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.live.probe import Probe
from sipaudit.live.said_outside import SaidOutside
from sipaudit.model.captures import ServerSummary
from sipaudit.model.reach import LONG_AGO
from sipaudit.model.sayings import (
    CallSaid,
    LineForgotten,
    LineSaid,
    MoveSaid,
    RegistrationSaid,
    Saying,
    ServerSaid,
    TrySaid,
)
from sipaudit.model.timers import TRY_LASTS
from sipaudit.model.values import LineSummary
from sipaudit.reconstruct.phones import Line
from sipaudit.run.line_replay import LineReplay
from sipaudit.run.summary import call_of, line_as_it_is, move_of, registration_of, try_of

BETWEEN = -2       # key for moves between entries, in place of the index of an entry
LATEST = 16        # moves, tries and registrations of a line that may be new
ALL_EVERY = 60.0   # seconds between two looks at all lines, also silent ones: registrations expire without packets

Row = TypeVar("Row")

Stretches = dict[tuple[str, float], tuple[int, float | None]]
"""Registrations by server and start time: how often each was renewed, and when it ended."""


class Told(Struct):
    """What was said of a line: `line` without the fields that change with every packet, `whole` with them. `moved` (by
    entry) and `called` are the times of the last move said and of the end of the last call said. By entry: in `tried`
    the results of the latest tries by time, in `stretches` the latest registrations by server and beginning."""

    line: LineSummary | None = None
    whole: LineSummary | None = None
    moved: dict[int, float] = {}
    tried: dict[int, dict[float, str]] = {}
    called: float = LONG_AGO
    stretches: dict[int, Stretches] = {}


class SaidLines:
    """Follows lines and servers. `new` are the lines that the last turn said for the first time."""

    def __init__(self) -> None:
        self.new: list[Line] = []
        self._told: dict[int, Told] = {}
        self._servers: dict[str, ServerSummary] = {}
        self._outside = SaidOutside()
        self._looked = LONG_AGO
        self._all_after = LONG_AGO

    def turn(self, now: float, probe: Probe, *, at_last: bool = False) -> Iterator[Saying]:
        """The sayings of lines seen since the last look, and every ALL_EVERY seconds of all lines. `at_last`: nothing
        will be said later."""
        lines = probe.reconstruction.lines
        everything = at_last or now >= self._all_after
        if everything:
            self._all_after = now + ALL_EVERY
            yield from self._forgotten(now, lines)
        if everything or len(probe.reconstruction.servers) != len(self._servers):
            yield from self._of_servers(now, probe)
        self.new = []
        since = LONG_AGO if everything else self._looked
        self._looked = now - 1.0
        for line in tuple(lines.values()):
            if line.last >= since:
                yield from self._of_line(now, line, probe, at_last)
        if everything:
            yield from self._outside.turn(now, probe, at_last=at_last)

    def _forgotten(self, now: float, lines: Mapping[int, Line]) -> Iterator[Saying]:
        """The lines that reconstruction no longer knows under any number."""
        gone = [self._told.pop(number).line for number in self._told.keys() - lines.keys()]
        if gone:
            known = {(line.aor, line.owner.address) for line in lines.values()}
            names = {(line.line, line.phone) for line in gone if line is not None}
            yield from (LineForgotten(now, *name) for name in sorted(names - known))

    def set_back(self) -> None:
        """The clock was set back: look at all lines anew, and forget the ends of calls, since later calls now end
        earlier."""
        self._looked = self._all_after = LONG_AGO
        for told in self._told.values():
            told.called = LONG_AGO

    def stand(self, now: float) -> Iterator[Saying]:
        """The servers and lines as last said."""
        yield from (ServerSaid(now, server) for server in self._servers.values())
        yield from (LineSaid(now, told.line) for told in self._told.values() if told.line is not None)

    def _of_servers(self, now: float, probe: Probe) -> Iterator[Saying]:
        seen = probe.servers_seen()
        for gone in self._servers.keys() - {server.server for server in seen}:
            del self._servers[gone]
        for server in seen:
            if self._servers.get(server.server) != server:
                self._servers[server.server] = server
                yield ServerSaid(now, server)

    def _of_line(self, now: float, line: Line, probe: Probe, at_last: bool) -> Iterator[Saying]:
        told = self._told.get(line.number)
        if told is None:
            told = self._told[line.number] = Told()
            self.new.append(line)
        summary = line_as_it_is(line, probe.auditor)
        steady = replace(summary, last=0.0, calls=0, inconclusive=[])
        if told.line != steady or (at_last and told.whole != summary):
            before = told.line
            if before is not None and (before.line, before.phone) != (summary.line, summary.phone):
                yield LineForgotten(now, before.line, before.phone)
            told.line, told.whole = steady, summary
            yield LineSaid(now, summary)
        for replay in probe.auditor.replays.of_line(line.number):
            yield from self._of_replay(now, told, replay, at_last)
        yield from self._of_fallbacks(now, told, line, probe)
        yield from self._of_calls(now, told, line, probe)

    def _of_fallbacks(self, now: float, told: Told, line: Line, probe: Probe) -> Iterator[Saying]:
        """Moves between the entries of the line."""
        place = probe.auditor.fallbacks.at(line.number)
        if place is None:
            return
        replay = probe.auditor.replays.of_line(line.number)[0]
        for move in _behind(place.moves, told.moved.get(BETWEEN), lambda move: move.time):
            told.moved[BETWEEN] = move.time
            yield MoveSaid(now, replay.line, replay.phone, move_of(move, replay))

    def _of_calls(self, now: float, told: Told, line: Line, probe: Probe) -> Iterator[Saying]:
        """Calls that have ended since; those that end at the same moment are said in the same turn."""
        since = told.called
        for call in line.spans or ():
            if call.over is not None and call.over > since:
                told.called = max(told.called, call.over)
                yield CallSaid(now, line.aor, line.owner.address, call_of(call, probe.naming))

    def _of_replay(self, now: float, told: Told, replay: LineReplay, at_last: bool) -> Iterator[Saying]:
        index = replay.index
        for move in _behind(replay.history.moves, told.moved.get(index), lambda move: move.time):
            told.moved[index] = move.time
            yield MoveSaid(now, replay.line, replay.phone, move_of(move, replay))
        yield from self._of_tries(now, told, replay, at_last)
        before, told.stretches[index] = told.stretches.get(index, {}), {}
        for row in replay.history.registrations(replay.state, now, replay.track)[-LATEST:]:
            name, stands = (row.server, row.since), (row.refreshes, row.until if row.end else None)
            told.stretches[index][name] = stands
            if before.get(name) != stands:
                self._outside.registered(None if told.line is None else told.line.entry, row.server, now)
                yield RegistrationSaid(now, replay.line, replay.phone, registration_of(row, replay))

    def _of_tries(self, now: float, told: Told, replay: LineReplay, at_last: bool) -> Iterator[Saying]:
        """Tries whose result is known, or can no longer come. A result may still change: a timeout may show only with
        the next message of the line."""
        before, results = told.tried.get(replay.index, {}), {}
        for seen in replay.history.tries[-LATEST:]:
            time, result = seen.request.time, seen.result
            is_open = result == "unknown" and not at_last and 0 <= now - time <= TRY_LASTS
            if is_open and time not in before:
                continue
            results[time] = result
            if before.get(time) != result:
                yield TrySaid(now, replay.line, replay.phone, try_of(seen, replay))
        told.tried[replay.index] = results


def _behind(rows: Sequence[Row], last: float | None, time: Callable[[Row], float]) -> Sequence[Row]:
    """The latest rows after the one with the time `last`, which was said last; all of them if that row is gone. By
    order, not by time, since the clock may have been set back."""
    latest = rows[-LATEST:]
    at = next((at for at in range(len(latest) - 1, -1, -1) if time(latest[at]) == last), -1)
    return latest[at + 1:]
