"""The replays of all lines.

State is kept per line and server entry: moving between the entries of a line is fallback, to which no failover rule
applies (reference-model.md 1, *server entry*), so each entry that a line used has a replay of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sipaudit.model.events import ModelEvent
from sipaudit.reconstruct.phones import Line, Phone
from sipaudit.reconstruct.several import several
from sipaudit.run.line_replay import LineReplay, Shared

OUTSIDE = -1       # index of the replay for servers outside of all entries of the line


class Replays:
    """Made as events ask for them. `lines` and `phones` are reconstruction's; `dispersed` are the lines that have more
    than one."""

    __slots__ = ("_by_line", "_lines", "_phones", "dispersed", "shared")

    def __init__(self, lines: dict[int, Line], phones: dict[int, Phone]) -> None:
        self._lines = lines
        self._phones = phones
        self.shared: Shared   # set before the first event: some of it asks replays in its turn
        self._by_line: dict[int, LineReplay | tuple[LineReplay, ...]] = {}   # of most there is one
        self.dispersed: set[int] = set()

    def __iter__(self) -> Iterator[LineReplay]:
        for replays in self._by_line.values():
            yield from several(replays)

    def of(self, event: ModelEvent) -> LineReplay:
        """The one to which an event of a line belongs."""
        replays = self._by_line.get(event.line)
        if replays is None:
            first = self._by_line[event.line] = LineReplay(self._lines[event.line], self._index(event), self.shared)
            return first
        if type(replays) is LineReplay:
            server = getattr(event, "server", None)
            if server is not None and replays.index == 0 and replays.follows(server):
                return replays  # nearly always: one entry, and a server of it
        return self._at(several(replays), self._index(event), event.line)

    def _at(self, replays: tuple[LineReplay, ...], index: int, line: int) -> LineReplay:
        for replay in replays:
            if replay.index == index:
                return replay
        made = LineReplay(self._lines[line], index, self.shared)
        self._by_line[line] = (*replays, made)
        self.dispersed.add(line)
        return made

    def _index(self, event: ModelEvent) -> int:
        """Which entry of the line an event belongs to: that of its server, or the one it names."""
        entries = self._lines[event.line].entries
        server, name = getattr(event, "server", None), getattr(event, "entry", None)
        if not entries or (server is None and name is None):
            return 0
        for index, entry in enumerate(entries):
            if entry.name == name or (server is not None and entry.priority(server) is not None):
                return index
        return OUTSIDE

    def is_idle(self, line: int, server: str) -> bool:
        """Whether a request of the server to the line, or the phone's answer, changes nothing of what is known of both:
        nothing waits, nothing is held against any server (`model.absorb`, `model.stakes`), and no try's result is
        due (`History`)."""
        replay = self._by_line.get(line)
        if type(replay) is not LineReplay:
            return False
        written, kept = replay.written, replay.kept
        return not (replay.waiting or written.failed or written.offered or replay.index
                    or (kept is not None and kept.is_trying)) and replay.follows(server)

    def only(self, line: int) -> LineReplay | None:
        """The one replay of a line; None if there are more, or none."""
        replay = self._by_line.get(line)
        return replay if type(replay) is LineReplay else None

    def of_line(self, line: int) -> Sequence[LineReplay]:
        """Those of a line, in the order of its entries."""
        replays = self._of_line(line)
        return replays if len(replays) < 2 else sorted(replays, key=lambda replay: (replay.index < 0, replay.index))

    def of_phone(self, phone: int) -> list[LineReplay]:
        """Those of all lines of a phone."""
        return [replay for line in self._lines_of(phone) for replay in self._of_line(line.number)]

    def has_met(self, phone: int) -> bool:
        """Whether anything of a phone was ever replayed."""
        return any(line.number in self._by_line for line in self._lines_of(phone))

    def _lines_of(self, phone: int) -> Sequence[Line]:
        known = self._phones.get(phone)
        return () if known is None else known.lines

    def everyone(self) -> list[LineReplay]:
        """Those of the lines that belong to phones."""
        return [replay for line in self._lines for replay in self._of_line(line)]

    def running_out(self, since: float, until: float) -> list[LineReplay]:
        """Those of lines with one replay of which a registration ran out between these moments, as far as servers said
        how long it lives. All are asked after each silence, so nothing is called for any of them."""
        found = []
        for replay in self._by_line.values():
            if type(replay) is not LineReplay:
                continue
            if replay.renewals is not None:
                if since < replay.renewals.until < until:
                    found.append(replay)
                continue
            for binding in replay.written.bindings:
                granted = binding.granted
                if granted is not None and granted.granted and since < granted.time + granted.granted < until:
                    found.append(replay)
        return found

    def drop(self, line: Line) -> Sequence[LineReplay]:
        """Forget those of a line; returned are what they were."""
        self.dispersed.discard(line.number)
        return several(self._by_line.pop(line.number, ()))

    def _of_line(self, line: int) -> tuple[LineReplay, ...]:
        return several(self._by_line.get(line, ()))
