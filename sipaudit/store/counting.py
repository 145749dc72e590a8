"""How much the counters of a probe, which run from its start, grew during a period.

The store has the last value of each counter in each hour, so a period is rounded outward to whole hours: a count is
never too small.  An analysis stores each count once, for all of its time, and that is used as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec.json import decode
from msgspec.structs import replace
from sqlalchemy import Row

from sipaudit.model.captures import CaptureSummary, Loss, lost_share
from sipaudit.model.values import Reached, Reason, Undecided
from sipaudit.store.rows import HOUR, hour_of
from sipaudit.store.runs import Run
from sipaudit.times import Span


def counts(rows: Iterable[Row[Any]], runs: Mapping[int, Run], period: Span
           ) -> tuple[list[Undecided], list[Reached]]:
    """How often each rule was undecided, and how often it was reached, summed over all runs."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for (run, *what), each in _grouped(rows, lambda row: (row.run, row.kind, row.rule, row.reason or "")):
        before, after = ends(each, runs[run], period)
        if after is not None:
            kind, rule, reason = what
            sums[kind, rule, reason] += _more(before.times if before else 0, after.times)
    told = [(kind, rule, reason, count) for (kind, rule, reason), count in sorted(sums.items()) if count]
    return ([Undecided(rule, Reason(reason), count) for kind, rule, reason, count in told if kind == "inconclusive"],
            [Reached(rule, count) for kind, rule, _, count in told if kind == "reached"])


def captures(rows: Iterable[Row[Any]], runs: Mapping[int, Run], period: Span) -> list[CaptureSummary]:
    """What each source of each run captured during the period. A process that continued a run counted afresh from its
    first packet, and has a summary of its own."""
    found: dict[tuple[int, str], list[CaptureSummary]] = {}
    for (run, path, _), each in _grouped(rows, lambda row: (row.run, row.path, row.first)):
        before, after = ends(each, runs[run], period)
        if after is not None:
            seen = decode(after.body, type=CaptureSummary)
            earlier = None if before is None else decode(before.body, type=CaptureSummary)
            found.setdefault((run, path), []).append(seen if earlier is None else since(earlier, seen))
    return [one for seen in found.values() for one in _with_packets(seen)]


def _with_packets(seen: list[CaptureSummary]) -> list[CaptureSummary]:
    """Leave out summaries without packets (written before the first one); if all are, keep the first."""
    return [one for one in seen if one.packets] or seen[:1]


def ends(rows: Sequence[Row[Any]], run: Run, period: Span) -> tuple[Row[Any] | None, Row[Any] | None]:
    """Of one counter's rows, sorted by `said`: the last before the period, and the last of the hours that it touches,
    None if there is none. For an analysis: None, and its last row."""
    if run.is_analysis:
        return None, rows[-1]
    before = [row for row in rows if row.said <= period.start]
    until = [row for row in rows if hour_of(row.said) * HOUR <= period.end]
    return before[-1] if before else None, until[-1] if until else None


def since(before: CaptureSummary, after: CaptureSummary) -> CaptureSummary:
    """What a source captured between two summaries, each counted from its first packet."""
    loss = Loss(None if after.loss.kernel_drops is None else _more(before.loss.kernel_drops or 0,
                                                                   after.loss.kernel_drops),
                _more(before.loss.tcp_gaps, after.loss.tcp_gaps),
                _more(before.loss.missing_halves, after.loss.missing_halves), 0.0)
    seen = replace(
        after, first=before.last, clock_steps=after.clock_steps[len(before.clock_steps):],
        packets=_more(before.packets, after.packets), sip_messages=_more(before.sip_messages, after.sip_messages),
        duplicates=_more(before.duplicates, after.duplicates), snaplen_cut=_more(before.snaplen_cut, after.snaplen_cut),
        one_way=_more(before.one_way, after.one_way), mid_life=_more(before.mid_life, after.mid_life),
        undecoded=_kinds(before.undecoded, after.undecoded), malformed=_kinds(before.malformed, after.malformed),
        encrypted=_kinds(before.encrypted, after.encrypted), content=_kinds(before.content, after.content),
    )
    share = lost_share(seen.packets, seen.sip_messages, loss.kernel_drops or 0, loss.missing_halves)
    return replace(seen, loss=replace(loss, estimate=round(share, 6)))


def _more(before: float, after: float) -> int:
    """By how much a counter grew; if it is smaller than before, it was restarted from 0."""
    return int(after - before if after >= before else after)


def _kinds(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    more = {kind: _more(before.get(kind, 0), count) for kind, count in after.items()}
    return {kind: count for kind, count in more.items() if count}


def _grouped(rows: Iterable[Row[Any]], name: Callable[[Row[Any]], tuple[Any, ...]]
             ) -> Iterable[tuple[tuple[Any, ...], list[Row[Any]]]]:
    """Rows grouped by `name`, each group sorted by `said`; the groups are in the order of their first rows."""
    groups: dict[tuple[Any, ...], list[Row[Any]]] = {}
    for row in rows:
        groups.setdefault(name(row), []).append(row)
    return ((what, sorted(each, key=lambda row: row.said)) for what, each in groups.items())
