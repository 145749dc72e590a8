"""The numbers of an incident (contract.md 3): seconds to the millisecond, None where there is nothing to count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil

from sipaudit.incidents.calls import Attempt, lost
from sipaudit.incidents.draft import Watched, was_registered
from sipaudit.incidents.gaps import Spell, lapsed
from sipaudit.incidents.outage import Outage
from sipaudit.model.events import Answered, Failed, ModelEvent, Sent
from sipaudit.model.history import MoveSeen
from sipaudit.model.timers import SILENCE_MAX

PERCENTILES = (("p50", 50), ("p95", 95), ("max", 100))
TIMES = ("time_to_detect", "time_to_recover")
NAMES = (
    *(f"{time}_{suffix}" for time in TIMES for suffix, _ in PERCENTILES), "lines_moved", "lines_stayed",
    "registrations_lost", "calls_lost", "calls_failed", "emergency_failed", "register_rate_median",
    "register_rate_peak", "responses_503",
)


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The nearest-rank percentile, None of nothing."""
    if not values:
        return None
    return sorted(values)[max(ceil(percent / 100 * len(values)), 1) - 1]


def of_outage(outage: Outage, stop: float | None, everyone: Iterable[Watched], spells: Iterable[Spell], now: float
              ) -> dict[str, float | None]:
    """The metrics of an outage, as far as is known `now`; `stop` when the server really stopped, if that is known."""
    detect, recover = [], []
    moves = moved_in(outage)
    for subject, move in moves:
        start = _start(outage, subject, move, stop)
        if move.first_packet is not None:
            detect.append(max(move.first_packet - start, 0.0))
        recover.append(max(move.time - start, 0.0))
    detect += _tried_elsewhere(outage, {subject.number for subject, _ in moves}, stop)
    metrics: dict[str, float | None] = {}
    for name, seconds in zip(TIMES, (detect, recover), strict=True):
        for suffix, percent in PERCENTILES:
            value = percentile(seconds, percent)
            metrics[f"{name}_{suffix}"] = None if value is None else round(value, 3)
    failed = failed_attempts(outage, now)
    end = float("inf") if outage.end is None else outage.end
    return {
        **metrics, "lines_moved": len(moves), "lines_stayed": _stayed(outage, everyone),
        "registrations_lost": lapsed(spells, outage.lines, outage.start, end),
        "calls_lost": len(list(lost(outage.calls, outage.start))), "calls_failed": len(failed),
        "emergency_failed": sum(attempt.event.emergency for attempt in failed), "responses_503": outage.refusals,
    }


def moved_in(outage: Outage) -> list[tuple[Watched, MoveSeen]]:
    """The first failover of each line that left the server while it was out, in order of time."""
    end = float("inf") if outage.end is None else outage.end
    moves = [(subject, move) for subject, move in outage.moves.values()
             if (move.time if move.first_packet is None else move.first_packet) <= end]
    return sorted(moves, key=lambda pair: (pair[1].time, pair[0].number))


def failed_attempts(outage: Outage, now: float) -> list[Attempt]:
    """The calls that could not be made, emergency calls first; one that came through elsewhere is none, nor is one that
    may still."""
    end = float("inf") if outage.end is None else outage.end
    failed = {id(attempt): attempt for attempt in outage.attempts if not attempt.made and attempt.failed is not None
              and outage.start <= attempt.failed <= end and attempt.event.time + SILENCE_MAX <= now}
    return sorted(failed.values(), key=lambda attempt: (not attempt.event.emergency, attempt.event.time))


def _start(outage: Outage, subject: Watched, move: MoveSeen | None, stop: float | None) -> float:
    """From when a line's time counts: the real stop, or its phone's first unanswered send to the server."""
    if stop is not None:
        return stop
    known = outage.first.get(subject.owner)
    sends = [] if known is None else [known]
    for item in () if move is None else move.evidence:
        sent = _sent_in_vain(item, outage)
        if sent is not None and sent >= outage.start:
            sends.append(sent)
    return min(sends, default=outage.start)


def _sent_in_vain(item: ModelEvent, outage: Outage) -> float | None:
    """When the request was sent that this says to have failed."""
    if not isinstance(item, Sent | Failed | Answered) or item.server != outage.server:
        return None
    return item.time if isinstance(item, Sent) else item.sent


def _tried_elsewhere(outage: Outage, moved: set[int], stop: float | None) -> list[float]:
    """How long those took that turned to another server and were not taken in."""
    times = []
    for number, subject in outage.lines.items():
        stay = subject.state.stays[subject.track]
        if number in moved or stay is None or stay.server != outage.server or stay.away is None:
            continue
        start = _start(outage, subject, None, stop)
        if stay.away.time >= start and (outage.end is None or stay.away.time <= outage.end):
            times.append(stay.away.time - start)
    return times


def _stayed(outage: Outage, everyone: Iterable[Watched]) -> int:
    """How many lines worked with the server when it failed, and did not leave it: not those of phones that were off."""
    return sum(subject.number not in outage.moves and working_at(subject, outage.start) == outage.server
               and was_registered(subject, outage.start) for subject in everyone)


def working_at(subject: Watched, time: float) -> str | None:
    """The server that a line worked with at a time, as far as its history tells."""
    moves = subject.history.moves
    before = [move for move in moves if move.time <= time]
    if before:
        return before[-1].target
    if moves:
        return moves[0].source
    stay = subject.state.stays[subject.track]
    return stay.server if stay is not None and stay.arrived.time <= time else None
