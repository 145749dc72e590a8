"""Servers that several phones left at about the same time without an incident that explains it: the servers were
available, and refused something, or their answers did not arrive. An error answer alone is no outage (F4), but an
operator wants to know of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from math import inf
from typing import NamedTuple

from sipaudit.model.history import CODES, when_turned
from sipaudit.model.values import Incident, LineSummary, Move, Report
from sipaudit.report.by_key import by_key
from sipaudit.report.incident_words import Words
from sipaudit.report.often import times
from sipaudit.report.screen import count_of

TELLING = frozenset({"server-outage", "partial-outage", "overload"})   # kinds that say why lines left
AFTER = 64.0        # seconds after the end of its reason within which a line may still leave
SOON = 600.0        # most seconds between two departures for one reason
PHONES = 2          # least number, as for an outage
SHARE = 0.1         # least share of the report's lines
SAID = 3            # most servers that are named
STATUSES = 3        # most reasons that are named for one server
GRANTS_NOTHING = "registration-without-expiry"


class Gone(NamedTuple):
    """A line that left a server, when, and why (`500 to REGISTER`; None: no answer shows it)."""

    time: float
    line: LineSummary
    why: str | None


def servers_left(report: Report, words: Words) -> Iterator[str]:
    """A sentence for each server that was left in this way, those left by most phones first."""
    bursts = [(server, burst) for server, gone in _gone(report).items() for burst in _bursts(gone)
              if _phones(burst) >= PHONES and len({id(one.line) for one in burst}) >= SHARE * len(report.lines)]
    for server, burst in sorted(bursts, key=lambda pair: (-_phones(pair[1]), pair[1][0].time))[:SAID]:
        yield _said(words, server, burst)


def _gone(report: Report) -> dict[str, list[Gone]]:
    """By server, the lines that left it without an incident that explains it."""
    ranks = {row.server: (row.entry, row.priority) for row in report.servers}
    told = by_key((incident.server, incident) for incident in report.incidents if incident.kind in TELLING)
    granted = by_key(((one.line, one.phone, one.server), one.time) for one in report.findings
                     if one.rule == GRANTS_NOTHING and one.time is not None)
    gone: dict[str, list[Gone]] = {}
    for line in report.lines:
        for move in line.moves:
            if _is_away(move, ranks) and not _is_told(move, told.get(move.from_, ())):
                why = _why(move) or _without_expiry(move, granted.get((line.line, line.phone, move.from_), ()))
                gone.setdefault(move.from_, []).append(Gone(when_turned(move), line, why))
    return gone


def _without_expiry(move: Move, granted: Iterable[float]) -> str | None:
    """The reason `200 to REGISTER ...`, if the line was granted a registration of zero seconds just before it left."""
    turned = when_turned(move)
    return "200 to REGISTER, with a registration of no time" if any(
        0 <= turned - time <= AFTER for time in granted) else None


def _is_away(move: Move, ranks: dict[str, tuple[str | None, int | None]]) -> bool:
    """Whether the move leaves a server because of its answer, or without a visible reason for one further down the list
    of the same entry."""
    if move.kind == "failover":
        return move.cause in CODES
    entry, here = ranks.get(move.from_, (None, None))
    other, there = ranks.get(move.to, (None, None))
    return move.kind == "unknown" and entry == other and here is not None and there is not None and here < there


def _is_told(move: Move, incidents: Iterable[Incident]) -> bool:
    return any(one.start <= when_turned(move) <= (one.end or inf) + AFTER for one in incidents)


def _why(move: Move) -> str | None:
    status, _, rest = (move.evidence[0].summary if move.evidence else "").partition(" ")
    return f"{status} to {rest.partition(' ')[0]}" if move.cause in CODES and status.isdigit() else None


def _bursts(gone: Iterable[Gone]) -> list[list[Gone]]:
    """Group departures that follow each other within SOON seconds."""
    bursts: list[list[Gone]] = []
    for one in sorted(gone, key=lambda one: one.time):
        if bursts and one.time - bursts[-1][-1].time <= SOON:
            bursts[-1].append(one)
        else:
            bursts.append([one])
    return bursts


def _phones(burst: Iterable[Gone]) -> int:
    return len({one.line.phone for one in burst})


def _said(words: Words, server: str, burst: list[Gone]) -> str:
    """`40 phones left sbc1 from 12:18:01 to 12:18:59 because of what it answered: 500 to REGISTER.`"""
    phones, why = _phones(burst), Counter(one.why for one in burst if one.why is not None)
    often = f", {times(len(burst))} in all," if len(burst) > phones else ""
    left = (f"{count_of(phones, 'phone')} left {words.server(server)}{often} from {words.time(burst[0].time)} to "
            f"{words.time(burst[-1].time)}")
    if not why:
        return f"{left}, though it had answered them as far as the captures show: they may not have heard it."
    return f"{left} because of what it answered: {', '.join(said for said, _ in why.most_common(STATUSES))}."
