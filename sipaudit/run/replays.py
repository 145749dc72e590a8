"""The replays of all lines.

State is stored per line and server entry: moving between the entries of a line is fallback, to which no failover rule
applies (reference-model.md 1, *server entry*), so each entry that a line has used has a replay of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sipaudit.model.events import ModelEvent
from sipaudit.reconstruct.phones import Line, Phone
from sipaudit.reconstruct.several import several
from sipaudit.run.line_replay import LineReplay, Shared

OUTSIDE = -1       # index of the replay for servers outside of all entries of the line


class Replays:
    """Created when an event needs them. `lines` and `phones` are reconstruction's; `dispersed` are the lines with more
    than one replay."""

    __slots__ = ("_by_line", "_lines", "_phones", "dispersed", "shared")

    def __init__(self, lines: dict[int, Line], phones: dict[int, Phone]) -> None:
        self._lines = lines
        self._phones = phones
        self.shared: Shared   # set before the first event: parts of it use the replays in turn
        self._by_line: dict[int, LineReplay | tuple[LineReplay, ...]] = {}   # most lines have one
        self.dispersed: set[int] = set()

    def __iter__(self) -> Iterator[LineReplay]:
        for replays in self._by_line.values():
            yield from several(replays)

    def of(self, event: ModelEvent) -> LineReplay:
        """The replay to which an event of a line belongs."""
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
        """The index of the entry to which an event belongs: by its server, or by the entry's name."""
        entries = self._lines[event.line].entries
        server, name = getattr(event, "server", None), getattr(event, "entry", None)
        if not entries or (server is None and name is None):
            return 0
        for index, entry in enumerate(entries):
            if entry.name == name or (server is not None and entry.priority(server) is not None):
                return index
        return OUTSIDE

    def is_idle(self, line: int, server: str) -> bool:
        """Whether a request of the server to the line, or the phone's answer, changes nothing in the state of either:
        no verdict waits, no evidence is held against any server (`model.absorb`, `model.stakes`), and no try awaits its
        result (`History`)."""
        replay = self._by_line.get(line)
        if type(replay) is not LineReplay:
            return False
        written, kept = replay.written, replay.kept
        return not (replay.waiting or written.failed or written.offered or replay.index
                    or (kept is not None and kept.is_trying)) and replay.follows(server)

    def only(self, line: int) -> LineReplay | None:
        """The replay of a line that has exactly one; otherwise None."""
        replay = self._by_line.get(line)
        return replay if type(replay) is LineReplay else None

    def of_line(self, line: int) -> Sequence[LineReplay]:
        """The replays of a line, in the order of its entries."""
        replays = self._of_line(line)
        return replays if len(replays) < 2 else sorted(replays, key=lambda replay: (replay.index < 0, replay.index))

    def of_phone(self, phone: int) -> list[LineReplay]:
        """The replays of all lines of a phone."""
        return [replay for line in self._lines_of(phone) for replay in self._of_line(line.number)]

    def has_met(self, phone: int) -> bool:
        """Whether anything of a phone was ever replayed."""
        return any(line.number in self._by_line for line in self._lines_of(phone))

    def _lines_of(self, phone: int) -> Sequence[Line]:
        known = self._phones.get(phone)
        return () if known is None else known.lines

    def everyone(self) -> list[LineReplay]:
        """The replays of the lines that belong to phones."""
        return [replay for line in self._lines for replay in self._of_line(line)]

    def running_out(self, since: float, until: float) -> list[LineReplay]:
        """The replays, of lines with only one, with a registration that expired between these moments by the expiry
        granted. All are checked after each silence, so no function is called for any of them."""
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
        """Forget the replays of a line, and return them."""
        self.dispersed.discard(line.number)
        return several(self._by_line.pop(line.number, ()))

    def _of_line(self, line: int) -> tuple[LineReplay, ...]:
        return several(self._by_line.get(line, ()))
