"""Random parts of the samples, disturbed at random, each analysed twice: with all short roads open, and with all of
them closed. Both reports must be the same.

    SIPAUDIT_PURE=1 python -m tests.all_roads --first 1000 --count 500

prints each seed whose reports differ, and which sections differ. Each road also has tests of its own, with traffic made
for it; here all roads are open at once, and the traffic is made for none of them.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from msgspec import to_builtins

from sipaudit.pipeline import Job
from sipaudit.reconstruct.four_in_a_row import FourInARow
from sipaudit.reconstruct.notified import Notified
from sipaudit.reconstruct.short_road import ShortRoad
from sipaudit.run import calls, registrations
from sipaudit.run.replays import Replays
from sipaudit.run.run import Run
from sipaudit.sip.forms import Forms
from tests.frames import frames_in, write_pcap
from tests.roads import ODD_DIALOGS, ODD_RENEWALS, disturbed, never
from tests.shared import SAMPLES

MOST = 90   # packets in a part
SHARE = 0.1   # of the packets are disturbed
ROADS: list[tuple[Any, str]] = [
    (ShortRoad, "asks"), (ShortRoad, "answers"), (ShortRoad, "repeats"), (FourInARow, "take"), (Notified, "asks"),
    (Notified, "answers"), (registrations, "begins_to_register"), (registrations, "begins"), (Replays, "is_idle"),
    (calls, "begins_to_call"),
]


def differences(folder: Path, seed: int) -> list[str]:
    """Names of the report's sections that differ."""
    chance = random.Random(f"all roads {seed}")
    sample = chance.choice(SAMPLES)
    frames = frames_in(sample)
    begin = chance.randrange(len(frames))
    part = disturbed(frames[begin:begin + MOST], SHARE, chance, ODD_RENEWALS + ODD_DIALOGS)
    capture, site = write_pcap(folder / "capture.pcap", sorted(part)), sample.with_name("site.yaml")
    job = Job((str(capture),), site=str(site) if site.exists() else None, jobs=1, engine="libpcap")
    short = report(job)
    with no_short_roads():
        long = report(job)
    return [name for name, value in short.items() if value != long[name]]


def report(job: Job) -> dict[str, Any]:
    run = Run(job, lambda _: None)
    run.drive()
    told: dict[str, Any] = to_builtins(run.report())
    return told


@contextmanager
def no_short_roads() -> Iterator[None]:
    with ExitStack() as closed:
        for where, name in ROADS:
            closed.enter_context(patch.object(where, name, never))
        closed.enter_context(patch.object(Forms, "_learnt", lambda *_: None))
        yield


def main() -> None:
    """Print each seed whose reports differ."""
    options = argparse.ArgumentParser()
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--count", type=int, default=200)
    given = options.parse_args()
    with TemporaryDirectory() as folder:
        for seed in range(given.first, given.first + given.count):
            if differ := differences(Path(folder), seed):
                print(seed, *differ, flush=True)


if __name__ == "__main__":
    main()
