"""The limits of time and memory (issue "Speed", marks 1 to 5), as data, and whether they are reached."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.programs import ALL, JOBS, JSON, ROUTE, name_of
from bench.results import MEGABYTE, Measured, Results

# Memory that one process may hold, in bytes (mark 4)
AT_ALL, A_LINE, A_DIALOG = 100_000_000, 3_000, 4_000
A_TRANSACTION, KEPT = 1_500, 32.0   # bytes, as sipaudit/run/budget.py counts them; seconds
MISSED = {"calls": ("sngrep", 1 / 2), "mixed": ("tshark", 1 / 25)}   # out of reach (bench/following.py)
TEN = 10                            # times as many messages in sip10 as in sip, in mixed10 as in mixed


@dataclass(frozen=True)
class Found:
    """A measured value to compare with a bound, and its text."""

    value: float
    shown: str


Figure = Callable[[Measured], Found | None]


@dataclass(frozen=True)
class Mark:
    """One row: at most `bound`, preferably at most `aim`; `figure` computes the measured value, None if there is none.
    """

    number: int
    said: str
    bound: float
    figure: Figure
    aim: float | None = None

    def row(self, measured: Measured) -> str:
        found = self.figure(measured)
        cells = (str(self.number), self.said, found.shown if found else "", self.verdict(found))
        return f"| {' | '.join(cells)} |"

    def verdict(self, found: Found | None) -> str:
        if found is None:
            return "not measured"
        if found.value > self.bound:
            return "**missed**"
        return "reached, and the aim" if self.aim is not None and found.value <= self.aim else "reached"


def beside(capture: str, jobs: int, neighbour: str, *, fraction: bool = False) -> Figure:
    """The time of sipaudit divided by that of a neighbour, the median of the pairs."""
    def figure(measured: Measured) -> Found | None:
        ratios = measured[capture].ratios(name_of(jobs), neighbour) if capture in measured else []
        if not ratios:
            return None
        ratio = statistics.median(ratios)
        return Found(ratio, f"1/{1 / ratio:.1f}" if fraction else f"{ratio:.2f}x")
    return figure


def tenfold(small: str, large: str, jobs: int) -> Figure:
    """The seconds of a capture with ten times the messages, divided by those of the small one."""
    return _compared(small, large, jobs, lambda results, name: results.seconds(name))


def tenfold_memory(small: str, large: str, jobs: int) -> Figure:
    """The memory without the report of a capture with ten times the messages, divided by that of the small one."""
    return _compared(small, large, jobs, lambda results, name: float(results.peak(name) - results.report))


def of_a_message(small: str, large: str, jobs: int) -> Figure:
    """The seconds for each message of the larger capture, divided by those of the smaller one."""
    return _compared(small, large, jobs, lambda results, name: results.seconds(name) / results.messages)


def _compared(small: str, large: str, jobs: int, of: Callable[[Results, str], float]) -> Figure:
    name = name_of(jobs)

    def figure(measured: Measured) -> Found | None:
        both = [measured[one] for one in (small, large) if one in measured and name in measured[one].runs]
        if len(both) < 2:
            return None
        before, after = (of(results, name) for results in both)
        return Found(after / before, f"{after / before:.2f}x")
    return figure


def held(capture: str, jobs: int) -> Figure:
    """The memory of the largest process, as a share of what it may hold."""
    def figure(measured: Measured) -> Found | None:
        results, name = measured.get(capture), name_of(jobs)
        if results is None or name not in results.runs:
            return None
        peak, most = max(cost.peak for cost in results.runs[name]), allowed(results)
        together = max(cost.together for cost in results.runs[name])
        beside = f"; all processes {together / MEGABYTE:.0f} MB" if jobs > 1 else ""
        return Found(peak / most, f"{peak / MEGABYTE:.0f} of {most / MEGABYTE:.0f} MB{beside}")
    return figure


def allowed(results: Results) -> float:
    """The bytes that a process may hold; transactions are counted for the last 32 s."""
    transactions = results.rate / 2 * KEPT
    return (AT_ALL + A_LINE * results.lines + A_DIALOG * results.dialogs + A_TRANSACTION * transactions
            + results.report)


def on_top(capture: str, report: str) -> Figure:
    """The seconds that a report takes in addition to the route without it, the median of the pairs."""
    def figure(measured: Measured) -> Found | None:
        pairs = measured[capture].pairs(report, ROUTE) if capture in measured else []
        if not pairs:
            return None
        seconds = statistics.median(one.seconds - other.seconds for one, other in pairs)
        return Found(seconds, f"{seconds:.2f} s")
    return figure


def _marks() -> Iterator[Mark]:
    for capture, messages in (("sip", "200,000"), ("sip10", "2,000,000")):
        for jobs, bound, aim in ((2, 0.5, 0.4), (1, 0.8, 0.65)):
            yield Mark(1, f"`{capture}`, {messages} messages, `--jobs {jobs}`: at most {bound}x sngrep (aim {aim})",
                       bound, beside(capture, jobs, "sngrep"), aim)
    yield Mark(2, "`mixed`, `--jobs 2`: at most 1/100 of sngrep", 1 / 100, beside("mixed", 2, "sngrep", fraction=True))
    yield Mark(2, "`mixed`, `--jobs 2`: at most 1/25 of tshark", MISSED["mixed"][1],
               beside("mixed", 2, "tshark", fraction=True))
    yield Mark(2, "`mixed10`, `--jobs 2`: at most 4x tcpdump (aim 3)", 4.0, beside("mixed10", 2, "tcpdump"), 3.0)
    yield Mark(3, "`calls`, `--jobs 2`: at most 0.5x sngrep", MISSED["calls"][1], beside("calls", 2, "sngrep"))
    yield Mark(3, "`tcp`, `--jobs 2`: at most 0.6x sngrep", 0.6, beside("tcp", 2, "sngrep"))
    for jobs in JOBS:
        yield Mark(3, f"`phones50k`, `--jobs {jobs}`: a message costs at most 1.4x what it costs in `sip` (aim 1.15)",
                   1.4, of_a_message("sip", "phones50k", jobs), 1.15)
    for capture in ("sip", "sip10", "mixed", "mixed10", "calls", "tcp", "phones50k"):
        for jobs in JOBS:
            yield Mark(4, f"`{capture}`, `--jobs {jobs}`: memory of the largest process", 1.0, held(capture, jobs))
    for small, large in (("sip", "sip10"), ("mixed", "mixed10")):
        for jobs in JOBS:
            yield Mark(4, f"`{large}`, `--jobs {jobs}`: at most 10.5x the time of `{small}`", TEN * 1.05,
                       tenfold(small, large, jobs))
            yield Mark(4, f"`{large}`, `--jobs {jobs}`: at most 1.1x the memory of `{small}`, without the report", 1.1,
                       tenfold_memory(small, large, jobs))
    yield Mark(5, "`outage10k`: report.json at most 3 s on top", 3.0, on_top("outage10k", JSON))
    yield Mark(5, "`outage10k`: all files of `-o` at most 3 s on top", 3.0, on_top("outage10k", ALL))


MARKS = tuple(_marks())


def table(measured: Measured) -> list[str]:
    """A Markdown table of all marks with values and verdicts."""
    return ["| | mark | measured | |", "|--:|---|--:|---|", *(mark.row(measured) for mark in MARKS)]
