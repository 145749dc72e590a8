"""`python -m tests.score.thinned`: all samples and recordings of the lab with packets taken out at random.

The captures are small, so that missing packets may leave few traces. Even so, no certain finding may be false.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import struct
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from sipaudit import pipeline
from tests.score.compare import Verdict, compare
from tests.shared import ROOT

SHARES = (0.01, 0.05)
FILE_HEAD, RECORD_HEAD = 24, struct.Struct("<8xI4x")


def thin(capture: Path, into: Path, lost: Callable[[int], bool]) -> None:
    """Copy the capture (pcap, little-endian) without the frames that are lost; frames count from 1."""
    whole = capture.read_bytes()
    kept, place, frame = [whole[:FILE_HEAD]], FILE_HEAD, 0
    while place < len(whole):
        end = place + RECORD_HEAD.size + RECORD_HEAD.unpack_from(whole, place)[0]
        frame += 1
        if not lost(frame):
            kept.append(whole[place:end])
        place = end
    into.write_bytes(b"".join(kept))


def judged(sample: Path, lost: Callable[[int], bool], name: str) -> Verdict:
    """The verdict on a sample without the frames that are lost."""
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder) / "capture.pcap"
        thin(sample / "capture.pcap", capture, lost)
        job = pipeline.Job(paths=(str(capture),), site=str(sample / "site.yaml"))
        report = pipeline.analyze(job, warn=lambda _: None)
    truth = json.loads((sample / "truth.json").read_text())["truth"]
    return compare(report.findings, truth, report.inconclusive, name)


def at_random(sample: Path, share: float, seed: int) -> Verdict:
    """The verdict on a sample that lost a random share of its frames."""
    chance = random.Random(seed)
    return judged(sample, lambda _: chance.random() < share, f"{sample.name} {share:g} {seed}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.score.thinned", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20, metavar="N", help="of each sample at each share (default 20)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first seed (default 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    chosen = parser.parse_args()
    samples = sorted(known.parent for known in (ROOT / "samples").glob("**/truth.json"))
    certain = 0
    with ProcessPoolExecutor(chosen.jobs) as pool:
        for share in SHARES:
            total = Verdict()
            work = [pool.submit(at_random, sample, share, seed) for sample in samples
                    for seed in range(chosen.first, chosen.first + chosen.runs)]
            for done in work:
                total.add(done.result())
            wrong = sum(total.certain_wrong.values())
            print(f"{share:.0%}: {len(work)} captures, {sum(total.hit.values())} of {sum(total.true.values())} found, "
                  f"{sum(total.right.values())} warnings and errors right, {sum(total.wrong.values())} wrong, "
                  f"{wrong} of these certain", *total.false, sep="\n  ", flush=True)
            certain += wrong
    return 1 if certain else 0


if __name__ == "__main__":
    sys.exit(main())
