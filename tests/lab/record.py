"""Plays scenes and stores the captures as samples: `python -m tests.lab.record [NAME ...]`, or `make lab` for all.

A recording is replaced only if sipaudit finds what the script did.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.lab.ability import missing
from tests.lab.play import begin
from tests.lab.scenes import SCENES
from tests.lab.verdict import analyzed, differences
from tests.shared import ROOT

RECORDINGS = ROOT / "samples" / "lab"
KEPT = ("capture.pcap", "site.yaml", "truth.json")


def record(names: list[str], top: Path) -> int:
    """Play all of them at once. Returns the number of scenes that were not stored."""
    playing: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name in names:
            playing[name] = begin(name, top / name)
        return sum(not _keep(name, process.wait(), top / name) for name, process in playing.items())
    finally:
        for process in playing.values():
            process.kill()
            process.wait()


def _keep(name: str, code: int, folder: Path) -> bool:
    wrong = differences(analyzed(folder), folder) if code == 0 else [(folder / "lab.log").read_text()]
    if wrong:
        print(f"{name}: not kept", *wrong, sep="\n  ", file=sys.stderr)
        return False
    kept = RECORDINGS / name
    kept.mkdir(parents=True, exist_ok=True)
    for file in KEPT:
        shutil.copyfile(folder / file, kept / file)
    print(f"{name}: recorded")
    return True


def main(names: list[str]) -> int:
    if unknown := set(names) - set(SCENES):
        print(f"no such scene: {', '.join(sorted(unknown))}. There are: {', '.join(SCENES)}", file=sys.stderr)
        return 2
    if why := missing():
        print(f"the lab cannot run: {why}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as top:
        return 1 if record(names or list(SCENES), Path(top)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
