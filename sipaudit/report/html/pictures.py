"""The data series of the page's pictures, small however large the report is; the page draws them with plotly.

Times are milliseconds of the page's clock.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

from sipaudit.incidents.metrics import percentile
from sipaudit.model.captures import ServerMinute
from sipaudit.model.values import LineSummary, Move, Report
from sipaudit.report.by_key import by_key
from sipaudit.report.html.index import Index
from sipaudit.report.html.inert import inert
from sipaudit.report.html.lanes import noticed, stays

STEPS = 480        # points of the stacked area
MINUTES = 720      # points of a server's rates: in longer captures a point is several minutes
BARS = 40          # of the histogram
USUAL = 95         # % of the times that the bars are for: one phone that slept for an hour must not flatten the rest
MOST_SERVERS = 12  # servers with a series of their own
METHODS = 8        # of a server's requests or answers; the rest is counted together
MINUTE = 60.0
OTHERS = "other"


def pictures(index: Index) -> dict[str, Any]:
    """The data of each picture, by name."""
    report = index.report
    return {"servers": _lines_per_server(index), "rates": _rates(index), "recovery": _recovery(report)}


# -- lines per server over time

def _lines_per_server(index: Index) -> dict[str, Any]:
    """How many lines worked with each server, or looked for another one (`moving`), at evenly spaced moments."""
    clock = index.clock
    width = max((clock.end - clock.start) / STEPS, 0.001)
    changes: dict[str, list[int]] = defaultdict(lambda: [0] * (STEPS + 2))
    for line in index.lines:
        for what, since, until in _whereabouts(line, clock.end):
            for time, change in ((since, 1), (until, -1)):
                step = STEPS + 1 if time > clock.end else math.ceil((time - clock.start) / width)
                changes[what][min(max(step, 0), STEPS + 1)] += change
    times = [clock.ms(clock.start + width * step) for step in range(STEPS + 1)]
    series = {what: list(accumulate(steps[:STEPS + 1])) for what, steps in changes.items()}
    moving = series.pop("", None)
    return {"times": times, "series": _biggest(index, series), "moving": moving}


def _whereabouts(line: LineSummary, end: float) -> Iterable[tuple[str, float, float]]:
    """`(server, from, until)`; the server is empty while the line looks for another one."""
    for stay in stays(line, end):
        if stay.leaving is None:
            yield stay.server, stay.since, math.inf if stay.until >= end else stay.until
        else:
            yield stay.server, stay.since, stay.leaving
            yield "", stay.leaving, stay.until


def _biggest(index: Index, series: dict[str, list[int]]) -> list[list[Any]]:
    """`[server's number, counts]` in the order of the servers; those beyond MOST_SERVERS are added up under -1."""
    order = sorted(series, key=lambda server: -sum(series[server]))
    kept = sorted(order[:MOST_SERVERS], key=index.servers.of)
    rows: list[list[Any]] = [[index.servers.of(server), series[server]] for server in kept]
    if rest := order[MOST_SERVERS:]:
        rows.append([-1, [sum(counts) for counts in zip(*(series[server] for server in rest), strict=True)]])
    return rows


# -- requests, answers and delays per server and minute

def _rates(index: Index) -> dict[str, Any]:
    """By server's number, the columns of its minutes. `minutes` is how many of them are counted together, `left` the
    number of servers left out."""
    by_server = by_key((row.server, row) for row in index.report.minutes)
    times = [row.time for row in index.report.minutes]
    minutes = max(1, math.ceil((max(times, default=0.0) - min(times, default=0.0)) / MINUTE / MINUTES))
    busiest = sorted(by_server, key=lambda server: -sum(sum(row.requests.values()) for row in by_server[server]))
    shown = sorted(busiest[:MOST_SERVERS], key=index.servers.of)
    return {"minutes": minutes, "left": len(busiest) - len(shown),
            "servers": {str(index.servers.of(server)): _columns(by_server[server], minutes, index) for server in shown}}


def _columns(rows: list[ServerMinute], minutes: int, index: Index) -> dict[str, Any]:
    width = minutes * MINUTE
    by_time = by_key((math.floor(row.time / width) * width, row) for row in rows)
    first, last = min(by_time), max(by_time)
    times = [first + width * step for step in range(round((last - first) / width) + 1)]
    cells = [by_time.get(time, []) for time in times]
    requests = [_added(row.requests for row in cell) for cell in cells]
    answers = [_added(row.answers for row in cell) for cell in cells]
    return {
        "times": [index.clock.ms(time) for time in times],
        "requests": _series(requests), "answers": _series(answers),
        "unanswered": [sum(row.unanswered for row in cell) for cell in cells],
        "p50": [_most(row.delay_p50 for row in cell) for cell in cells],
        "max": [_most(row.delay_max for row in cell) for cell in cells],
    }


def _added(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return total


def _series(cells: list[Counter[str]]) -> dict[str, list[int]]:
    """A series for each of the most frequent names, and one for the rest: methods are text from the wire, so their
    number has no bound."""
    total = _added(cells)
    kept = sorted(total, key=lambda name: (-total[name], name))[:METHODS]
    series = {inert(name, 20): [cell[name] for cell in cells] for name in sorted(kept)}
    if len(total) > len(kept):
        series[OTHERS] = [sum(cell.values()) - sum(cell[name] for name in kept) for cell in cells]
    return series


def _most(delays: Iterable[float | None]) -> float | None:
    return max((delay for delay in delays if delay is not None), default=None)


# -- how long it took to find another server

def _recovery(report: Report) -> dict[str, Any]:
    """Histograms over all failovers: the seconds from the first unanswered packet to the first packet elsewhere
    (`detected`), and to the answer that ended the failover (`recovered`)."""
    moves = [(move, noticed(move, since)) for line in report.lines for since, move in _after(line)
             if move.kind == "failover" and move.evidence]
    recovered = [max(move.time - start, 0.0) for move, start in moves]
    detected = [max(move.first_packet - start, 0.0) for move, start in moves if move.first_packet is not None]
    usual = percentile([*recovered, *detected], USUAL) or 0.0
    width = _nice(usual / BARS)
    return {"width": width, "count": len(moves), "detected": _bars(detected, width),
            "recovered": _bars(recovered, width)}


def _after(line: LineSummary) -> Iterable[tuple[float, Move]]:
    """The moves of a line, each with the time from which the line had worked with the server that it leaves."""
    return zip([line.first, *(move.time for move in line.moves)], line.moves, strict=False)


def _bars(seconds: list[float], width: float) -> list[int]:
    """How many values each bar of `width` seconds has; the last one, number BARS, also has all longer ones."""
    counted = Counter(min(int(value / width), BARS) for value in seconds)
    return [counted[bar] for bar in range(max(counted, default=-1) + 1)]


def _nice(width: float) -> float:
    """`width` rounded up to the next of 0.01, 0.02, 0.05, 0.1 ... seconds."""
    if width <= 0.01:
        return 0.01
    magnitude = 10.0 ** math.floor(math.log10(width))
    return next(step * magnitude for step in (1, 2, 5, 10) if step * magnitude >= width)
