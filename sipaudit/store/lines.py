"""Puts lines together from their rows: the summary of each, with its moves, tries, registrations and calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec.json import decode
from msgspec.structs import replace
from sqlalchemy import Row

from sipaudit.model.values import CallSpan, LineSummary, Move, Reason, Registration, Try, Undecided
from sipaudit.times import Span

Who = tuple[str, str]   # line and phone
T = TypeVar("T")


@dataclass(frozen=True)
class Parts:
    """The parts of lines within the period, each with its line and phone, in the order in which they were stored.
    `later` is, by line and phone, the server that the first move after the period leaves."""

    moves: Sequence[tuple[Who, Move]]
    tries: Sequence[tuple[Who, Try]]
    registrations: Sequence[tuple[Who, Registration]]
    calls: Sequence[tuple[Who, CallSpan]]
    later: Mapping[Who, str]


def lines(rows: Iterable[Row[Any]], parts: Parts, period: Span) -> list[LineSummary]:
    """The lines that were active in the period: one summary for each line and phone, however many runs saw it."""
    known = _by_line(((row.line, row.phone), decode(row.body, type=LineSummary)) for row in rows)
    moves, tries = _by_line(parts.moves), _by_line(parts.tries)
    registrations, calls = _by_line(parts.registrations), _by_line(parts.calls)
    told = []
    for who, each in known.items():
        line = _one(each)
        held, moved = registrations.get(who, []), moves.get(who, [])
        if line.first > period.end or (line.last < period.start and not held and not moved):
            continue    # a line that renews or moves is active, even if its own row was not updated
        told.append(replace(
            line, moves=sorted(moved, key=lambda move: move.time), tries=tries.get(who, []),
            registrations=held, call_spans=calls.get(who, []), working=parts.later.get(who, line.working)))
    return sorted(told, key=lambda line: (line.line, line.phone, line.contact or ""))


def _by_line(parts: Iterable[tuple[Who, T]]) -> dict[Who, list[T]]:
    found: dict[Who, list[T]] = {}
    for who, part in parts:
        found.setdefault(who, []).append(part)
    return found


def _one(seen: list[LineSummary]) -> LineSummary:
    """A line as the run that saw it last knows it, with calls and undecided verdicts summed over all runs."""
    if len(seen) == 1:
        return seen[0]
    undecided: Counter[tuple[str, Reason]] = Counter()
    for line in seen:
        undecided.update({(one.rule, one.reason): one.count for one in line.inconclusive})
    newest = max(seen, key=lambda line: line.last)
    return replace(
        newest, first=min(line.first for line in seen), calls=sum(line.calls for line in seen),
        inconclusive=[Undecided(*what, count) for what, count in sorted(undecided.items())],
        declare=sorted({word for line in seen for word in line.declare}))
