"""From runs to numbers: medians, ratios pair by pair, the marks, and the tables that show them."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.captures import MIXED, SIP, Workload
from bench.measure import Cost

MEGABYTE = 1_000_000


@dataclass
class Results:
    """The runs on one capture, by program: the same place in two lists is a pair, run one after the other."""

    workload: Workload
    runs: dict[str, list[Cost]] = field(default_factory=dict)

    def seconds(self, program: str) -> float:
        return statistics.median(cost.seconds for cost in self.runs[program])

    def peak(self, program: str) -> int:
        return int(statistics.median(cost.peak for cost in self.runs[program]))

    def ratios(self, program: str) -> list[float]:
        """What sipaudit took of what `program` took, in each pair."""
        return [ours.seconds / theirs.seconds
                for ours, theirs in zip(self.runs["sipaudit"], self.runs[program], strict=False)]

    def as_json(self) -> dict[str, object]:
        return {"capture": str(self.workload), "packets": self.workload.packets,
                "runs": {name: [vars(cost) for cost in costs] for name, costs in self.runs.items()}}


def table(results: Results, floor: int) -> list[str]:
    """A Markdown table of the runs on one capture. Peaks below `floor` bytes are not known."""
    lines = [
        f"**{results.workload}**", "",
        "| program | runs | seconds (least-most) | processor | µs a packet | memory | sipaudit took of it |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, costs in results.runs.items():
        seconds, peak = [cost.seconds for cost in costs], results.peak(name)
        processor = statistics.median(cost.processor for cost in costs)
        lines.append(
            f"| {name} | {len(costs)} | {results.seconds(name):.2f} ({spread(seconds, 2)}) | {processor:.2f} "
            f"| {results.seconds(name) / results.workload.packets * 1e6:.2f} "
            f"| {'below ' if peak <= floor else ''}{max(peak, floor) / MEGABYTE:.0f} MB "
            f"| {'' if name == 'sipaudit' else share(results.ratios(name))} |"
        )
    return lines


def spread(values: Sequence[float], digits: int) -> str:
    return f"{min(values):.{digits}f}-{max(values):.{digits}f}"


def share(ratios: list[float]) -> str:
    """`0.86x (0.81-0.90)`: the median and how far the pairs lie apart."""
    digits = 2 if max(ratios) > 0.1 else 3
    return f"{statistics.median(ratios):.{digits}f}x ({spread(ratios, digits)})"


def marks(all_results: list[Results]) -> list[str]:
    """What was aimed at and what became of it, as far as it was measured."""
    found: list[tuple[str, str, bool]] = []
    for results in all_results:
        runs = results.runs
        if results.workload is SIP and "sngrep" in runs:
            ratio = statistics.median(results.ratios("sngrep"))
            found.append(("SIP alone, one core: at most 1.0x the time of sngrep", f"{ratio:.2f}x", ratio <= 1.0))
        if results.workload is SIP and "sipaudit" in runs:
            peak = results.peak("sipaudit") / MEGABYTE
            found.append(("SIP alone: at most 150 MB", f"{peak:.0f} MB", peak <= 150))
        if results.workload is MIXED and "tshark" in runs:
            ratio = statistics.median(results.ratios("tshark"))
            found.append(("SIP and RTP: at most 1/20 of the time of tshark", f"1/{1 / ratio:.1f}", ratio <= 1 / 20))
    rows = [f"| {mark} | {value} | {'reached' if reached else 'missed'} |" for mark, value, reached in found]
    return ["| mark | measured | |", "|---|--:|---|", *rows] if rows else []


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
