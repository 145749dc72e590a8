"""What happened to a line: its moves, its tries and its registrations, taken from the steps of its replay."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from math import inf
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from sipaudit.model.events import Answered, Failed, ModelEvent, Sent
from sipaudit.model.judge import possible_regimes
from sipaudit.model.packets import ALIVE, against, is_open_of_call, success
from sipaudit.model.profile import Profile
from sipaudit.model.reach import Evidence, Reach
from sipaudit.model.replay import Step
from sipaudit.model.state import TRACK_OF, Binding, LineState, PhoneState, Stay, Track
from sipaudit.model.timers import NO_EXPIRY, SILENCE_MAX, T1, TRY_LASTS, UNDECLARED_EARLIEST
from sipaudit.model.values import Move
from sipaudit.turned_away import has_room

CODES = frozenset({"503", "other-response"})   # causes of moves that are answers
ROWS_KEPT = 10_000   # moves, tries and registrations kept for one line
TRIES_OPEN = 3       # the last tries, whose results may still come


class MoveKind(StrEnum):
    """What kind of move it was (contract.md 3): away from a failed server, back up, to another entry, or unknown."""
    FAILOVER = "failover"
    FAILBACK = "failback"
    FALLBACK = "fallback"
    UNKNOWN = "unknown"


class MoveSeen(Struct, frozen=True):
    """A change of the working server; `time` is that of the answer that made it, `first_packet` of the first packet
    there."""

    time: float
    first_packet: float | None
    kind: MoveKind
    source: str
    target: str
    cause: str
    evidence: tuple[ModelEvent, ...]


def when_turned(move: MoveSeen | Move) -> float:
    """When the line turned to the server that it moved to: at its first packet there, where that was seen."""
    return move.time if move.first_packet is None else move.first_packet


class TrySeen(Struct):
    """A request that left a working server which had not failed, and its result."""

    request: Sent
    result: str = "unknown"


class RegistrationSeen(Struct, frozen=True):
    """One stretch of a registration at one server; `end` is None while it is live."""

    server: str
    since: float
    until: float | None
    expires: float | None
    refreshes: int
    end: str | None


class Context(Protocol):
    """What is known of a line apart from its events."""

    @property
    def track(self) -> Track: ...
    def profile(self) -> Profile: ...


class History:
    """Follows one line's steps and keeps what a report shows of them, within bounds.

    `earlier` holds, by server, the previous part of a registration that went on with a refresh after a failover had
    left it, where the model began its binding anew: F8 ends the registration there; where that does not hold, the
    refresh lengthens the row.
    """

    __slots__ = ("earlier", "ended", "moves", "tries")

    def __init__(self) -> None:
        self.moves: tuple[MoveSeen, ...] = ()   # these stay empty for most lines, of which there are many
        self.tries: tuple[TrySeen, ...] = ()
        self.ended: tuple[RegistrationSeen, ...] = ()
        self.earlier: tuple[RegistrationSeen, ...] = ()

    def take(self, step: Step, context: Context) -> None:
        """Process one step. `context` is asked for the order of servers and the regime's track when they matter."""
        if step.before.stays is not step.after.stays:
            track = context.track
            before, after = step.before.stays[track], step.after.stays[track]
            if before is not None and after is not None and before is not after:
                self._stayed(before, after, step, context)
        if self.is_trying:
            self._settle_tries(step.event, step.phone)
        if type(step.event) is Answered and step.before.bindings is not step.after.bindings:
            self._bound(step, step.event.server, context)

    @property
    def is_trying(self) -> bool:
        """Whether the result of one of the last tries is still unknown."""
        return bool(self.tries) and any(one.result == "unknown" for one in self.tries[-TRIES_OPEN:])

    def _stayed(self, before: Stay, after: Stay, step: Step, context: Context) -> None:
        if before.server != after.server:
            if has_room(self.moves, ROWS_KEPT, "history"):
                self.moves += (_move(before, after, context.profile()),)
        elif isinstance(step.event, Sent) and before.tries is not after.tries:
            failed = against(step.phone.reach(before.server), step.event.time, UNDECLARED_EARLIEST)
            # after a failure it is a failover on its way, not a try to return
            if not failed and has_room(self.tries, ROWS_KEPT, "history"):
                self.tries += (TrySeen(step.event),)

    def _settle_tries(self, event: ModelEvent, phone: PhoneState) -> None:
        """Settle tries by their answers, or by elapsed time; another try may have followed one in the meantime."""
        later = inf
        for one in reversed(self.tries[-TRIES_OPEN:]):
            if one.result == "unknown":
                _settle_try(one, event, phone, later)
            later = one.request.time

    def _bound(self, step: Step, server: str, context: Context) -> None:
        """Store the stretch that an answer of this server ended, if any: it ends none at another server."""
        before, after = step.before.binding(server), step.after.binding(server)
        if before is None or before.granted is None:
            return
        if after is not None and after.granted is not None and after.since is before.since:
            return
        row = self._whole(_ended(before, after, step, context.track is Track.REGAINED))
        self.earlier = tuple(one for one in self.earlier if one.server != server)
        if row.end is None:
            self.earlier += (row,)
        elif has_room(self.ended, ROWS_KEPT, "history"):
            self.ended += (row,)

    def _whole(self, row: RegistrationSeen) -> RegistrationSeen:
        """The stretch joined to the earlier part that its first refresh continues."""
        for one in self.earlier:
            if one.server == row.server and one.until == row.since:
                return replace(row, since=one.since, refreshes=one.refreshes + 1 + row.refreshes)
        return row

    def forget(self, before: float) -> None:
        """Forget what was over before that time (seconds since the epoch) and has been reported, except the last move:
        it says where the line works, and why; only the packets that prove it are dropped."""
        if self.moves and self.moves[0].time < before:
            last = self.moves[-1]
            if last.time < before and last.evidence:
                last = replace(last, evidence=())
            self.moves = (*(move for move in self.moves[:-1] if move.time >= before), last)
        if self.tries and self.tries[0].request.time < before:
            self.tries = tuple(one for one in self.tries if one.request.time >= before)
        if self.ended and (self.ended[0].until or 0.0) < before:
            self.ended = tuple(row for row in self.ended if row.until is None or row.until >= before)

    def view_begins(self, state: LineState, now: float, track: Track) -> None:
        """Nothing was seen for a while until `now`, or the phone has booted: close the live registrations, whose
        further fate is unknown."""
        for binding in state.bindings:
            if binding.granted is not None and has_room(self.ended, ROWS_KEPT, "history"):
                row = self._whole(_row(binding, now, track is Track.REGAINED))
                self.ended += (row if row.end is not None else replace(row, until=now, end="unknown"),)

    def registrations(self, state: LineState, now: float, track: Track) -> list[RegistrationSeen]:
        """All stretches, with those live at `now`, ordered by beginning."""
        invalidates = track is Track.REGAINED
        rows = [self._whole(_row(binding, now, invalidates)) for binding in state.bindings if binding.granted]
        if self.ended:
            rows = [*self.ended, *rows]
        return rows if len(rows) < 2 else sorted(rows, key=lambda row: (row.since, row.server))


def _settle_try(one: TrySeen, event: ModelEvent, phone: PhoneState, later: float) -> None:
    """Settle a try; `later` is when the next one was sent. The result of a cancelled call says nothing, whatever its
    server answers (RFC 3261 9.1)."""
    asked = one.request
    if asked.transaction in phone.reach(asked.server).cancelled:
        one.result = "abandoned"
    elif isinstance(event, Answered) and event.server == asked.server and event.status >= 200:
        is_its = event.method == asked.method and asked.time <= event.request_time < later
        if is_its and event.status not in ALIVE:
            one.result = "answered" if success(event.status) else "refused"
    elif event.time - asked.time > TRY_LASTS:
        one.result = "timeout"


def track_of(profile: Profile) -> Track:
    """The track of the line's regime; R0's where the regime is unknown, because that accepts every answer."""
    regimes = possible_regimes(profile.settings)
    return TRACK_OF[next(iter(regimes))] if len(regimes) == 1 else Track.ANSWERED


def _move(before: Stay, after: Stay, profile: Profile) -> MoveSeen:
    kind = _kind(before, after, profile)
    cause = cause_of(after.failed) if kind is MoveKind.FAILOVER else _failback_cause(kind, profile)
    first = after.first.time if after.first else None
    failed = [item for item in after.failed if cause in CODES or not isinstance(item, Answered)]
    proof = (*failed[:3], *([after.first] if after.first else []), after.arrived)
    return MoveSeen(after.arrived.time, first, kind, before.server, after.server, cause, tuple(dict.fromkeys(proof)))


def left_for(stay: Stay, answer: Answered, reach: Reach, profile: Profile) -> MoveSeen:
    """The move that an answer from another server would be if it made that the working one; `reach` is that of the
    stay's server."""
    failed = against(reach, answer.time, UNDECLARED_EARLIEST)
    return _move(stay, Stay(answer.server, answer, stay.away, stay.server, failed), profile)


def is_same_move(one: MoveSeen, other: MoveSeen) -> bool:
    """Whether two moves of a line are one, shown by different answers: the phone turned once."""
    turned = one.first_packet is not None and one.first_packet == other.first_packet
    return one.target == other.target and (turned or one.time == other.time)


def _kind(before: Stay, after: Stay, profile: Profile) -> MoveKind:
    upward = profile.leads_up(before.server, after.server)
    turned = (after.first or after.arrived).time
    least = max(profile.earliest_silence, T1)
    if any(not upward or _drives_up(item, turned, least) for item in after.failed):
        return MoveKind.FAILOVER
    return MoveKind.FAILBACK if upward else MoveKind.UNKNOWN


def _drives_up(item: Evidence, turned: float, least: float) -> bool:
    """Whether this evidence explains a move upward. A return crosses requests whose answers are on their way, so no
    silence does that is shorter than F2's earliest, or than the first retransmission. Nor does the answer to a call of
    long ago (F4: 480, if nobody was there)."""
    if isinstance(item, Sent):
        return turned - item.time >= least
    return not is_open_of_call(item) or turned - item.time <= SILENCE_MAX


def _failback_cause(kind: MoveKind, profile: Profile) -> str:
    mode = profile.settings.mode
    return str(mode) if kind is MoveKind.FAILBACK and mode is not None else "unknown"


def cause_of(failures: Iterable[Evidence]) -> str:
    """Why a line left a server, by the firmest evidence there is: a transport failure, then a code, then silence; a
    code from before a silence does not count, even if nothing has disproved it (F4)."""
    failed = tuple(failures)
    for item in failed:
        if isinstance(item, Failed):
            return str(item.kind)
    asked = max((item.time for item in failed if isinstance(item, Sent)), default=0.0)
    codes = [item.status for item in failed if isinstance(item, Answered) and item.time >= asked]
    if codes:
        return "503" if 503 in codes else "other-response"
    return "timeout"


def _ended(before: Binding, after: Binding | None, step: Step, invalidates: bool) -> RegistrationSeen:
    """The stretch that this step ended, or, with `end` None, refreshed."""
    now = step.event.time
    over = _row(before, now, invalidates)
    if over.end is not None:
        return over
    return _closed(before, now, "deregistered" if after is None or after.granted is None else None)


def _closed(binding: Binding, until: float | None, end: str | None) -> RegistrationSeen:
    assert binding.since is not None
    return RegistrationSeen(binding.server, binding.since.time, until, _finite(binding.expires), binding.refreshes, end)


def _row(binding: Binding, now: float, invalidates: bool) -> RegistrationSeen:
    """The stretch as it stands at `now`; with `invalidates`, in R2 and R3, a failover away ended it (F8)."""
    until, left = binding.until, binding.left
    if invalidates and left is not None and left < until:
        return _closed(binding, left, "invalidated")
    return _closed(binding, until, "expired") if until <= now else _closed(binding, _finite(until), None)


def _finite(seconds: float) -> float | None:
    return None if seconds == NO_EXPIRY else seconds

