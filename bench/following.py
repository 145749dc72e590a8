"""`python -m bench.following [--write]`: the time of a capture when reading costs nothing, compared with the marks that
are missed.

The output of the reading process is stored in a file. Then a process starts, follows that file, and writes the report:
with no reader, in whatever language, can the whole take less. Runs alternate with those of the mark's neighbour.
"""

from __future__ import annotations

import pickle
import statistics
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from bench.captures import DATA, WORKLOADS, Workload, ensure
from bench.marks import MISSED
from bench.measure import run
from bench.programs import NEIGHBOURS, sipaudit
from bench.readme import options, tell
from sipaudit.pipeline import Job
from sipaudit.report import document
from sipaudit.run.ahead import batches_of
from sipaudit.run.analysis import analyzed
from sipaudit.run.garbage import leave_whole, rare_collections
from sipaudit.run.packing import Packer, Unpacker
from sipaudit.run.reading import Reading
from sipaudit.sip.forms import Parsed

RUNS = 5
HEAD = ("| capture | `--jobs 2`, s | reading costs nothing, s | of the neighbour | mark, s |", "|---|--:|--:|--:|--:|")


class Read(Reading):
    """The reading of a job from the file in which an earlier process stored its output."""

    def __init__(self, job: Job) -> None:
        super().__init__(job, print, payloads=False, reread=False)
        self._kept = _kept(Path(job.paths[0]))

    def keep(self) -> None:
        """Read the capture, and store what the reading process would hand over."""
        packer, [health] = Packer(payloads=False), self.captures.health
        with self._kept.open("wb") as kept:
            for each in batches_of(self.captures):
                pickle.dump((packer.pack(each, reading=True), health.__dict__), kept)

    def ahead(self) -> AbstractContextManager[Iterator[list[Parsed]]]:
        return nullcontext(self._runs())

    def _runs(self) -> Iterator[list[Parsed]]:
        unpacker, [health] = Unpacker(payloads=False), self.captures.health
        with self._kept.open("rb") as kept:
            while kept.peek(1):
                parcel, state = pickle.load(kept)
                health.__dict__.update(state)
                yield unpacker.unpack(parcel)


def _kept(capture: Path) -> Path:
    return DATA / f"{capture.stem}.read"


def follow(capture: str, site: str) -> None:
    """From the stored file to the report on stdout, in the way of the command."""
    with rare_collections():
        result = analyzed(Read(Job((capture,), site=site)), None, None, None, print)
    sys.stdout.buffer.write(document.to_json(result[1]))
    leave_whole(result)


def measured(workload: Workload, neighbour: str, bound: float) -> str:
    """One row of the table: median seconds, and the median ratio of the pairs of runs."""
    capture, site = str(ensure(workload)), str(workload.site)
    Read(Job((capture,), site=site, jobs=1)).keep()
    call = f"from bench.following import follow; follow({capture!r}, {site!r})"
    commands = {"follow": [sys.executable, "-c", call], "whole": sipaudit(2).command(workload),
                "neighbour": NEIGHBOURS[neighbour].command(workload)}
    spent: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, command in commands.items():
            spent[name].append(run(command, DATA / "following.out").seconds)
    _kept(workload.path).unlink()
    seconds = {name: statistics.median(each) for name, each in spent.items()}
    ratio = statistics.median(one / other for one, other in zip(spent["follow"], spent["neighbour"], strict=True))
    return (f"| `{workload.name}` | {seconds['whole']:.2f} | {seconds['follow']:.2f} | {ratio:.2f}x "
            f"| {bound * seconds['neighbour']:.2f} ({bound:.2f}x {neighbour}) |")


def main() -> None:
    chosen = options("bench.following", __doc__).parse_args()
    text = "\n".join([*HEAD, *(measured(WORKLOADS[name], *mark) for name, mark in MISSED.items())])
    tell("following", text, write=chosen.write)


if __name__ == "__main__":
    main()
