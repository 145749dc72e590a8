"""Where lines with several server entries work, and their moves between these entries: fallback, which is recorded, but
to which no rule applies (reference-model.md 1, *server entry*)."""

from __future__ import annotations

from collections.abc import Sequence

from sipaudit.incidents.watch import Watch
from sipaudit.model.answers import is_weighty, went_its_way
from sipaudit.model.events import Answered
from sipaudit.model.history import ROWS_KEPT, MoveKind, MoveSeen, cause_of
from sipaudit.model.packets import ALIVE, against, grants_nothing, success
from sipaudit.model.reach import Evidence
from sipaudit.model.state import PhoneState
from sipaudit.model.timers import TRY_LASTS, UNDECLARED_EARLIEST
from sipaudit.run.line_replay import LineReplay
from sipaudit.turned_away import has_room


class Whereabouts:
    """The server where a line works, in its entry at `index`, and the moves that led there from other entries.
    `challenged` is the last challenge from a server of another entry."""

    __slots__ = ("challenged", "index", "moves", "server")

    def __init__(self, index: int, server: str) -> None:
        self.index = index
        self.server = server
        self.moves: tuple[MoveSeen, ...] = ()
        self.challenged: Answered | None = None


class Fallbacks:
    """The whereabouts of lines that have used servers of more than one of their entries.

    An answered call shows where a line works. A REGISTER does so only if the previous server has failed: a phone may
    keep registrations with all its entries. `watch` is called for lines that left a server which had failed.
    """

    __slots__ = ("_watch", "_whereabouts")

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._whereabouts: dict[int, Whereabouts] = {}

    def at(self, line: int) -> Whereabouts | None:
        """The whereabouts of a line, if it has used several entries."""
        return self._whereabouts.get(line)

    def take(self, answer: Answered, replay: LineReplay, others: Sequence[LineReplay], phone: PhoneState) -> None:
        """Process an answer to a line with these replays; `phone` is the phone's state before it."""
        if replay.index < 0 or not is_weighty(answer) or not (success(answer.status) or answer.status in ALIVE):
            return
        where = self._whereabouts.get(replay.number) or _before(replay, others)
        if where is None:
            if answer.status in ALIVE:
                return
            where = Whereabouts(replay.index, answer.server)
        self._whereabouts[replay.number] = where
        if answer.status in ALIVE:
            where.challenged = answer
        elif replay.index == where.index:
            stay = replay.written.stays[replay.track]
            where.server = answer.server if stay is None else stay.server
        elif answer.server == where.server:
            where.index = replay.index   # DNS has put the server into another entry
        else:
            self._elsewhere(where, answer, replay, others, phone)

    def _elsewhere(self, where: Whereabouts, answer: Answered, replay: LineReplay, others: Sequence[LineReplay],
                   phone: PhoneState) -> None:
        """A server of an entry other than the line's current one has answered."""
        failed = against(phone.reach(where.server), answer.time, UNDECLARED_EARLIEST)
        if not _tells(answer, phone, failed):
            return
        left = next((other for other in others if other.index == where.index), None)
        move = _moves(where, replay.index, answer, failed, phone)
        if move is not None and left is not None and failed:
            self._watch.falls_back(left, move)

    def forget(self, before: float) -> None:
        """Forget reported moves before that time (seconds since the epoch)."""
        for where in self._whereabouts.values():
            if where.moves and where.moves[0].time < before:
                where.moves = tuple(move for move in where.moves if move.time >= before)

    def release(self, line: int) -> None:
        """Forget this line."""
        self._whereabouts.pop(line, None)

    def clear(self) -> None:
        """Where lines work is no longer known; their moves stand."""
        for where in self._whereabouts.values():
            where.server = ""


def _before(replay: LineReplay, others: Sequence[LineReplay]) -> Whereabouts | None:
    """Where the line worked before it used another entry."""
    for other in others:
        stay = other.written.stays[other.track]
        if other is not replay and other.index >= 0 and stay is not None:
            return Whereabouts(other.index, stay.server)
    return None


def _tells(answer: Answered, phone: PhoneState, failed: Sequence[Evidence]) -> bool:
    """Whether the answer shows that the line now works at this server, and not at the previous one."""
    if answer.method == "REGISTER":
        return bool(failed) and answer.asked != 0 and not grants_nothing(answer)
    return answer.method == "INVITE" and not went_its_way(phone, answer)


def _first(challenged: Answered | None, answer: Answered) -> float | None:
    """When the first packet was sent there: if the request was challenged and sent again, the first sending."""
    if challenged is None or (challenged.server, challenged.method) != (answer.server, answer.method):
        return answer.sent
    return challenged.sent if answer.time - challenged.time <= TRY_LASTS else answer.sent


def _moves(where: Whereabouts, index: int, answer: Answered, failed: Sequence[Evidence], phone: PhoneState
           ) -> MoveSeen | None:
    """Record the line's move to the server of this answer; None if its previous server is unknown."""
    source, where.index, where.server = where.server, index, answer.server
    if not source:
        return None
    asked = [one for one in phone.reach(answer.server).unsettled if one.transaction == answer.transaction]
    move = MoveSeen(answer.time, _first(where.challenged, answer), MoveKind.FALLBACK, source, answer.server,
                    cause_of(failed) if failed else "unknown", (*failed[:3], *asked[:1], answer))
    if has_room(where.moves, ROWS_KEPT, "history"):
        where.moves += (move,)
    return move
