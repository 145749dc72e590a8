"""The results of runs, stored as JSON; their medians, ratios pair by pair, and tables."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.captures import DATA, Capture, Workload
from bench.measure import Cost
from bench.programs import ALL, JOBS, JSON, ROUTE, name_of

MEGABYTE = 1_000_000
LAST = DATA / "results.json"
OURS = {name_of(jobs) for jobs in JOBS} | {ROUTE, JSON, ALL}


@dataclass
class Results:
    """The runs on one capture, by program: runs at the same index of two lists are a pair, run one after the other.

    `lines`, `dialogs` (open at once) and `rate` (messages a second) are those of the capture; `taken` says on which
    machine, when and under which load; peaks below `floor`, in bytes, cannot be measured.
    """

    name: str
    title: str
    packets: int = 0
    messages: int = 0
    lines: int = 0
    dialogs: int = 0
    rate: float = 0.0
    taken: str = ""
    floor: int = 0
    runs: dict[str, list[Cost]] = field(default_factory=dict)

    def seconds(self, program: str) -> float:
        return statistics.median(cost.seconds for cost in self.runs[program])

    def peak(self, program: str) -> int:
        return int(statistics.median(cost.peak for cost in self.runs[program]))

    @property
    def report(self) -> int:
        """The memory of the report in bytes: the difference between a process that makes it and one that does not."""
        if ROUTE not in self.runs or name_of(1) not in self.runs:
            return 0
        return max(self.peak(name_of(1)) - self.peak(ROUTE), 0)

    def pairs(self, ours: str, theirs: str) -> list[tuple[Cost, Cost]]:
        """The pairs of runs of two programs."""
        return list(zip(self.runs.get(ours, []), self.runs.get(theirs, []), strict=False))

    def ratios(self, ours: str, theirs: str) -> list[float]:
        """The seconds of `ours` divided by those of `theirs`, pair by pair; one ratio of the medians if a slow program
        was run only once."""
        pairs = self.pairs(ours, theirs)
        if pairs and len(self.runs[ours]) != len(self.runs[theirs]):
            return [self.seconds(ours) / self.seconds(theirs)]
        return [one.seconds / other.seconds for one, other in pairs]

    @classmethod
    def of(cls, capture: Capture, taken: str, floor: int) -> Results:
        """The results of a capture, before the first run."""
        known: dict[str, Any] = {}
        if isinstance(capture, Workload):
            known = {"packets": capture.packets, "messages": capture.messages, "lines": capture.phones,
                     "dialogs": capture.dialogs, "rate": capture.messages / capture.seconds}
        return cls(capture.name, str(capture), taken=taken, floor=floor, **known)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Results:
        runs = {name: [Cost(**cost) for cost in costs] for name, costs in kept["runs"].items()}
        return cls(**{**kept, "runs": runs})


Measured = dict[str, Results]
"""Results by the name of the capture."""


def read(path: Path) -> Measured:
    """The results in a JSON file; empty if there is no file."""
    kept = json.loads(path.read_text()) if path.exists() else []
    return {one["name"]: Results.from_json(one) for one in kept}


def keep(measured: Measured, path: Path) -> None:
    path.write_text(json.dumps([asdict(one) for one in measured.values()], indent=1) + "\n")


def table(results: Results) -> list[str]:
    """A Markdown table of the runs on one capture."""
    compared = [name_of(jobs) for jobs in JOBS if name_of(jobs) in results.runs]
    heads = ["program", "runs", "seconds (least-most)", "processor", *(["µs a packet"] if results.packets else []),
             "memory", *(f"{name} took of it" for name in compared)]
    lines = [f"**`{results.name}`: {results.title}**", "",
             f"| {' | '.join(heads)} |", "|---|" + "--:|" * (len(heads) - 1)]
    lines += [f"| {' | '.join([name, *_row(results, name), *_shares(results, name, compared)])} |"
              for name in results.runs]
    return [*lines, "", results.taken]


def _row(results: Results, name: str) -> list[str]:
    costs = results.runs[name]
    seconds = [cost.seconds for cost in costs]
    cells = [str(len(costs)), f"{results.seconds(name):.2f} ({spread(seconds, 2)})",
             f"{statistics.median(cost.processor for cost in costs):.2f}"]
    if results.packets:
        cells.append(f"{results.seconds(name) / results.packets * 1e6:.2f}")
    return [*cells, _memory(results, name)]


def _memory(results: Results, name: str) -> str:
    peak, together = results.peak(name), max(cost.together for cost in results.runs[name])
    below = "below " if peak <= results.floor else ""
    all_of_it = f", together {together / MEGABYTE:.0f}" if together > 1.1 * peak else ""
    return f"{below}{max(peak, results.floor) / MEGABYTE:.0f} MB{all_of_it}"


def _shares(results: Results, name: str, compared: Sequence[str]) -> list[str]:
    return ["" if name in OURS else share(results.ratios(one, name)) for one in compared]


def spread(values: Sequence[float], digits: int) -> str:
    return f"{min(values):.{digits}f}-{max(values):.{digits}f}"


def share(ratios: list[float]) -> str:
    """`0.86x (0.81-0.90)`: the median and the range of the ratios."""
    digits = 2 if max(ratios) > 0.1 else 4
    apart = f" ({spread(ratios, digits)})" if len(ratios) > 1 else ""
    return f"{statistics.median(ratios):.{digits}f}x{apart}"


def machine() -> str:
    """The machine in words: processor, cores, memory, kernel, Python."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB; {platform.system()} {platform.release()}; "
            f"{platform.python_implementation()} {platform.python_version()}")


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    speed = f" at {float(facts['cpu MHz']) / 1000:.1f} GHz" if "cpu MHz" in facts else ""
    return f"{facts.get('model name', platform.machine())}{speed}"
