"""The metrics of an incident (contract.md 3): seconds to the millisecond, None where there is nothing to count."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from math import ceil

from sipaudit.incidents.draft import Watched
from sipaudit.incidents.gaps import lapsed
from sipaudit.incidents.outage import FailedAttempt, Outage
from sipaudit.incidents.spells import Spell, was_there
from sipaudit.model.events import Answered, Failed, ModelEvent, Sent
from sipaudit.model.history import MoveSeen, when_turned
from sipaudit.model.reach import LONG_AGO
from sipaudit.model.timers import SILENCE_MAX

PERCENTILES = (("p50", 50), ("p95", 95), ("max", 100))
TIMES = ("time_to_detect", "time_to_recover")
NAMES = (
    *(f"{time}_{suffix}" for time in TIMES for suffix, _ in PERCENTILES), "lines_moved", "lines_stayed",
    "registrations_lost", "calls_lost", "calls_failed", "emergency_failed", "register_rate_median",
    "register_rate_peak", "responses_503",
)


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The nearest-rank percentile; None without values."""
    if not values:
        return None
    return sorted(values)[max(ceil(percent / 100 * len(values)), 1) - 1]


def of_outage(outage: Outage, everyone: Iterable[Watched], spells: Iterable[Spell], now: float
              ) -> dict[str, float | None]:
    """The metrics of an outage, as far as known at `now`; its `stop` must be set by then, if it has one."""
    moves = moved_in(outage)
    asking = {outage.lines[number].owner for number in outage.asked if number in outage.lines}
    detect = [max(turned - since, 0.0) for turned, subject, move in turned_in(outage)
              if (since := _since(outage, subject, move, asking)) is not None]
    recover = [max(served - since, 0.0) for served, subject, move in served_in(outage)
               if (since := _since(outage, subject, move, asking)) is not None]
    metrics: dict[str, float | None] = {}
    for name, seconds in zip(TIMES, (detect, recover), strict=True):
        for suffix, percent in PERCENTILES:
            value = percentile(seconds, percent)
            metrics[f"{name}_{suffix}"] = None if value is None else round(value, 3)
    failed = failed_attempts(outage, now)
    return {
        **metrics, "lines_moved": len(moves), "lines_stayed": _stayed(outage, everyone),
        "registrations_lost": lapsed(spells, outage.lines, outage.start, outage.until),
        "calls_lost": len(outage.lost_calls), "calls_failed": len(failed),
        "emergency_failed": sum(attempt.event.emergency for attempt, _ in failed), "responses_503": outage.refusals,
    }


def moved_in(outage: Outage) -> list[tuple[Watched, MoveSeen]]:
    """The first failover of each line that left the server because of the outage, ordered by time: during the outage,
    or later if a request that was sent during it had run out by then."""
    moves = [(subject, move) for subject, move in outage.moves.values() if _left_in(outage, subject, move)]
    return sorted(moves, key=lambda pair: (pair[1].time, pair[0].number))


def _left_in(outage: Outage, subject: Watched, move: MoveSeen) -> bool:
    if outage.start <= when_turned(move) <= outage.until:
        return True
    came = max((other.time for other in subject.history.moves if other.time < move.time), default=LONG_AGO)
    if came >= outage.until:
        return False   # it has come back since: what had failed there before did not drive it away
    sends = (_sent_in_vain(item, outage) for item in move.evidence)
    return any(sent is not None and outage.start <= sent <= outage.until for sent in sends)


def turned_in(outage: Outage) -> list[tuple[float, Watched, MoveSeen | None]]:
    """When each line first sent a request to another server during the outage, whether that server accepted it or
    not."""
    turned: list[tuple[float, Watched, MoveSeen | None]] = []
    moves = moved_in(outage)
    for subject, move in moves:
        times = [time for time in (outage.turned.get(subject.number), move.first_packet)
                 if time is not None and time >= outage.start]   # it may have tried another server once before
        if times:
            turned.append((min(times), subject, move))
    moved = {subject.number for subject, _ in moves}
    turned += [(time, outage.lines[number], None) for number, time in outage.turned.items()
               if number in outage.lines and number not in moved and time <= outage.until]
    return sorted(turned, key=lambda one: one[0])


def served_in(outage: Outage) -> list[tuple[float, Watched, MoveSeen | None]]:
    """When each line was first served by another server: by its move, or, if it is unknown where it worked before, by
    the registration it got there."""
    served: list[tuple[float, Watched, MoveSeen | None]] = [
        (move.time, subject, move) for subject, move in moved_in(outage)]
    for turned, subject, move in turned_in(outage):
        if move is None and working_at(subject, turned) != outage.server:
            granted = (*(row.since for row in subject.history.ended if row.server != outage.server),
                       *(one.since.time for one in subject.state.bindings
                         if one.since is not None and one.server != outage.server))
            first = min((time for time in granted if time >= turned), default=None)
            served += [] if first is None else [(first, subject, None)]
    return served


def failed_attempts(outage: Outage, now: float) -> list[FailedAttempt]:
    """The calls that could not be made, emergency calls first, each with the time of its first try at the server in the
    outage. Not counted: calls that got through elsewhere, or still may, or that count for another server's outage."""
    failed: dict[int, FailedAttempt] = {}
    for attempt, sent in outage.attempts:
        counts = not attempt.made and attempt.blames(outage.server) and attempt.event.time + SILENCE_MAX <= now
        if counts and outage.start <= sent <= outage.until:
            _, before = failed.get(id(attempt), (attempt, sent))
            failed[id(attempt)] = attempt, min(sent, before)
    return sorted(failed.values(), key=lambda one: (not one[0].event.emergency, one[1]))


def _since(outage: Outage, subject: Watched, move: MoveSeen | None, asking: Container[int]) -> float | None:
    """The start of a line's times: its own first failed send to the server. None if the line sent nothing there, while
    another line of its phone did (`asking`: the phones with such lines)."""
    if outage.stop is not None:
        return outage.stop
    if subject.number in outage.asked:
        return outage.asked[subject.number]
    sends = []
    for item in () if move is None else move.evidence:
        sent = _sent_in_vain(item, outage)
        if sent is not None and sent >= outage.start and _is_own(item, subject):
            sends.append(sent)
    if not sends and subject.owner not in asking:
        sends.append(outage.first.get(subject.owner, outage.start))
    return min(sends, default=None)


def _is_own(item: ModelEvent, subject: Watched) -> bool:
    return isinstance(item, Failed) or item.line == subject.number


def _sent_in_vain(item: ModelEvent, outage: Outage) -> float | None:
    """When the request was sent that this event shows to have failed."""
    if not isinstance(item, Sent | Failed | Answered) or item.server != outage.server:
        return None
    return item.time if isinstance(item, Sent) else item.sent


def _stayed(outage: Outage, everyone: Iterable[Watched]) -> int:
    """How many lines worked with the server when it failed and did not leave it; lines of phones that were off do not
    count."""
    return sum(subject.number not in outage.moves and working_at(subject, outage.start) == outage.server
               and was_there(subject, outage.start) for subject in everyone)


def working_at(subject: Watched, time: float) -> str | None:
    """The line's working server at a time, as far as its history shows."""
    moves = subject.history.moves
    before = [move for move in moves if move.time <= time]
    if before:
        return before[-1].target
    if moves:
        return moves[0].source
    stay = subject.state.stays[subject.track]
    if stay is not None and stay.arrived.time <= time:
        return stay.server
    over = [one for one in subject.history.ended if one.since <= time and (one.until is None or one.until >= time)]
    return over[-1].server if over else None   # the phone has restarted since, or was out of sight
