"""`python -m bench.weeks [--write]`: whether a probe that runs for long uses as much memory at the end as at first.

A site is simulated and followed packet by packet, hour after hour. The follower is a separate process, which gets the
packets through a pipe; there is no file, and the simulator's memory is not counted. Old state is dropped each minute,
as in a live run. After each hour the process reports its resident set, and the number of entries in its tables.
"""

from __future__ import annotations

import argparse
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, BinaryIO, cast

from bench.readme import options, tell
from sipaudit.capture.decode import Decoder
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.linktypes import ETHERNET
from sipaudit.capture.write import PcapWriter
from sipaudit.live.limits import Limits, give_back, resident, steady_collections
from sipaudit.live.upkeep import Upkeep
from sipaudit.run.brief import understand
from sipaudit.run.job import Job
from sipaudit.run.route import Route
from sipaudit.simulate.plan.read import read_plan
from sipaudit.simulate.play import Play
from sipaudit.simulate.site import site_text
from sipaudit.simulate.wire.sink import Sink
from sipaudit.times import Span

HOUR = 3600.0
TURN = 1.0   # seconds
PLAN = """
duration: {seconds}
tap: {{from: 3600}}
servers:
  sbc1: {{address: 10.0.0.1, expires: 3600, faults: [{faults}]}}
  sbc2: {{address: 10.0.0.2, expires: 3600}}
entries:
  sbc: {{servers: [sbc1, sbc2]}}
phones:
  - {{entry: sbc, count: {obedient}, boot: [0, 600], calls: [{{every: 1800, seconds: 60}}], settings: {settings}}}
  - {{entry: sbc, count: {wayward}, boot: [0, 600], network: 10.2.0.0/16, user: 50001, settings: {settings},
     deviates: [premature-failback], calls: [{{every: 1800, seconds: 60}}]}}
"""
SETTINGS = "{reRegisterOn: 1, failRegistrationOn: 1, failBack.mode: duration, failBack.timeout: 300, expires: 3600}"


def plan(phones: int, hours: int, *, outages: bool = False, wayward: int | None = None) -> str:
    """The plan of a site that has been running for an hour when the probe begins to listen; each line calls every half
    hour. `wayward` phones (default: one in twenty) return too soon after an outage; `outages`: the first server is out
    for ten minutes of every hour."""
    early = phones // 20 if wayward is None else wayward
    faults = ", ".join(f"{{kind: silent, from: {start}, to: {start + 600}}}"
                       for start in range(4800, int((hours + 1) * HOUR), int(HOUR))) if outages else ""
    return PLAN.format(seconds=int((hours + 1) * HOUR), obedient=phones - early, wayward=early, faults=faults,
                       settings=SETTINGS)


class Listener:
    """Follows frames like a live run, with the frames' times as the clock."""

    def __init__(self, site: str, limits: Limits) -> None:
        self.health = CaptureHealth("pipe")
        self.limits = limits
        self.decoder = Decoder([self.health], self.limits.budget.capture)
        brief = understand(Job((), site=site))
        self.route = Route(brief, Span(None, None), 0.0, [self.health], budget=self.limits.budget)
        self.notes: list[str] = []
        self.upkeep = Upkeep(self.route, self.limits, [self.decoder], self.notes.append)
        self._turn_at = float("-inf")

    def hear(self, time: float, frame: bytes) -> None:
        """One frame, captured at `time` (seconds since the epoch)."""
        health = self.health
        health.packets += 1
        health.last = time
        if health.first is None:
            health.first = self.route.auditor.profiles.began = time
        for item in self.decoder.decode((time, health.packets, ETHERNET, frame, len(frame)), 0):
            self.route.follow(item, None)
        if time >= self._turn_at:
            self._turn_at = time + TURN
            self.route.auditor.pass_time(time - TURN)
            self.upkeep.turn(time, time)

    @property
    def open(self) -> dict[str, int]:
        """The number of entries now in each table."""
        return {**self.route.open, **self.decoder.open}


def frames(stream: IO[bytes]) -> Iterator[tuple[float, bytes]]:
    """The packets of a pcap that `PcapWriter` wrote: seconds since the epoch, and the frame."""
    stream.read(24)
    while head := stream.read(16):
        seconds, micros, length, _ = struct.unpack("<IIII", head)
        yield seconds + micros / 1e6, stream.read(length)


def listen(site: str) -> None:
    """Follow the pcap on standard input, and print a line of JSON for every hour of it."""
    listener = Listener(site, Limits(None))
    hour, ends = 0, float("inf")
    with steady_collections():
        for time, frame in frames(sys.stdin.buffer):
            if hour == 0:
                hour, ends = 1, time + HOUR
            if time >= ends:
                _tell(listener, hour)
                hour, ends = hour + 1, ends + HOUR
            listener.hear(time, frame)
        _tell(listener, hour)


def _tell(listener: Listener, hour: int) -> None:
    give_back()
    print(json.dumps({"hour": hour, "resident": resident(), "packets": listener.health.packets,
                      "findings made": listener.route.auditor.faults.made, **listener.open}), flush=True)


def live(phones: int, hours: int, folder: Path, *, outages: bool = False) -> list[dict[str, Any]]:
    """Simulate a site for `hours`, and return what its probe reported after each hour. Raises RuntimeError if the probe
    fails."""
    written = folder / "plan.yaml"
    written.write_text(plan(phones, hours, outages=outages))
    played = read_plan(str(written))
    site = folder / "site.yaml"
    site.write_text(site_text(played))
    command = [sys.executable, "-m", "bench.weeks", "--listen", str(site)]
    with (folder / "hours").open("wb") as out:
        probe = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out)
        assert probe.stdin is not None
        Play(played, Sink(PcapWriter(cast(BinaryIO, probe.stdin)), played.start)).run()
        probe.stdin.close()
        if probe.wait() != 0:
            raise RuntimeError("the probe failed")
    return [json.loads(line) for line in (folder / "hours").read_text().splitlines()]


def table(told: list[dict[str, Any]]) -> str:
    """A Markdown table of some hours, the first and the last among them, and whether the mark is reached."""
    shown = [one for one in told if one["hour"] in (1, 2, 4, 8, 12, 16, 20, told[-1]["hour"])]
    columns = ("packets", "lines", "transactions", "dialogs", "history", "findings", "findings made", "minutes")
    rows = ["| hour | memory | " + " | ".join(columns) + " |", "|--:|--:|" + "--:|" * len(columns)]
    rows += [f"| {one['hour']} | {one['resident'] / 1e6:.1f} MB | "
             + " | ".join(f"{one[column]:,}" for column in columns) + " |" for one in shown]
    change = told[-1]["resident"] / told[0]["resident"] - 1
    reached = "reached" if change <= 0.05 else "missed"
    said = f"At the end {change:+.1%} of the memory after the first hour (mark: 5 %): {reached}."
    return "\n".join([*rows, "", said])


def main() -> None:
    parser = options("bench.weeks", __doc__)
    parser.add_argument("--phones", type=int, default=2000, metavar="N")
    parser.add_argument("--hours", type=int, default=24, metavar="N")
    parser.add_argument("--outages", action="store_true", help="let a server fail every hour")
    parser.add_argument("--listen", metavar="SITE", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.listen is not None:
        listen(chosen.listen)
        return
    with TemporaryDirectory() as folder:
        text = table(live(chosen.phones, chosen.hours, Path(folder), outages=chosen.outages))
    tell("weeks outages" if chosen.outages else "weeks", text, write=chosen.write)


if __name__ == "__main__":
    main()
