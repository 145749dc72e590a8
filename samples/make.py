"""Makes the samples again: `python samples/make.py [NAME...]`, or `make samples` for all.

Of each folder with a plan.yaml: capture.pcap, site.yaml and truth.json by `sipaudit simulate`, report.json by
`sipaudit analyze`. The bytes are the same each time; what differs from git is a change of behaviour, to be looked at.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from sipaudit import pipeline
from sipaudit.report import document
from sipaudit.simulate.simulate import simulate

TOP = Path(__file__).resolve().parent.parent
NAMES = ("capture.pcap", "site.yaml", "truth.json")


def make(sample: Path, into: Path) -> None:
    """The simulated files of a sample's plan, in the folder `into`."""
    with tempfile.TemporaryDirectory() as place:
        made = simulate(str(sample / "plan.yaml"), str(Path(place) / "capture.pcap"))
        for path, name in zip(made, NAMES, strict=True):
            (into / name).write_bytes(path.read_bytes())


def report(sample: Path) -> bytes:
    """What `analyze` makes of a sample; paths in it count from the top folder, which must be the current one."""
    folder = sample.relative_to(TOP)
    job = pipeline.Job(paths=(str(folder / "capture.pcap"),), site=str(folder / "site.yaml"))
    return document.to_json(pipeline.analyze(job))


def main() -> None:
    os.chdir(TOP)
    chosen = sys.argv[1:] or sorted(plan.parent.name for plan in (TOP / "samples").glob("*/plan.yaml"))
    for name in chosen:
        sample = TOP / "samples" / name
        make(sample, sample)
        (sample / "report.json").write_bytes(report(sample))
        print(f"samples/{name}")


if __name__ == "__main__":
    main()
