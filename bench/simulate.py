"""`python -m bench.simulate [--write]`: how fast the simulator writes, in packets a second of processor time.

Two plans: phones that register and call, and calls whose media is in the capture. Each is compared with the time that
tcpdump takes to copy the same file, as a measure of the machine.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from pathlib import Path

from bench.measure import Cost, run
from bench.programs import SIPAUDIT
from bench.readme import options, tell

RUNS = 3
SERVERS = """
servers:
  sbc1: {address: 10.0.0.1, expires: 600}
  sbc2: {address: 10.0.0.2, expires: 600}
entries:
  sbc: {servers: [sbc1, sbc2]}
phones:
"""
PLANS = {
    "SIP": ("duration: 1800" + SERVERS + "  - {entry: sbc, count: 2000, boot: [0, 300], settings: {expires: 600}, "
            "calls: [{every: 300, seconds: 20}]}\n", 20_000),
    "RTP": ("duration: 120" + SERVERS + "  - {entry: sbc, count: 100, boot: [0, 5], "
            "calls: [{at: [10], seconds: 100, rtp: true}]}\n", 300_000),
}


def packets(capture: Path) -> int:
    """The number of records in a capture that sipaudit wrote."""
    data, place, count = capture.read_bytes(), 24, 0
    while place < len(data):
        place += 16 + int.from_bytes(data[place + 8 : place + 12], "little")
        count += 1
    return count


def median(costs: list[Cost]) -> float:
    return statistics.median(cost.processor for cost in costs)


def row(name: str, text: str, mark: int, folder: Path) -> str:
    """One row of the table: the plan's packets, median processor time, speed, mark, ratio to tcpdump, peak memory."""
    plan, capture = folder / f"{name}.yaml", folder / f"{name}.pcap"
    plan.write_text(text)
    ours = [run([SIPAUDIT, "-q", "simulate", str(plan), "-o", str(capture)], folder / "out") for _ in range(RUNS)]
    count, seconds = packets(capture), median(ours)
    copied = "-"
    if shutil.which("tcpdump") is not None:
        copy = ["tcpdump", "-Z", "root", "-r", str(capture), "-w", str(folder / "copy.pcap")]
        copied = f"{seconds / max(0.01, median([run(copy, folder / 'out') for _ in range(RUNS)])):.0f}x"
    peak = max(cost.peak for cost in ours) >> 20
    reached = "reached" if count / seconds >= mark else "missed"
    speed = f"{count / seconds:,.0f}"
    cells = (name, f"{count:,}", f"{seconds:.2f}", speed, f"{mark:,}", reached, copied, f"{peak} MB")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    chosen = options("bench.simulate", __doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(name, text, mark, Path(folder)) for name, (text, mark) in PLANS.items()]
    head = ["| mostly | packets | processor s | packets a second | mark | | of tcpdump's copy | memory |",
            "|---|--:|--:|--:|--:|---|--:|--:|"]
    table = "\n".join([*head, *rows])
    tell("simulate", table, write=chosen.write)


if __name__ == "__main__":
    main()
