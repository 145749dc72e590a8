"""A process that ends with its report does not free what it learnt of many packets; any other process does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.shared import SAMPLE

ASK = """
import sys
from sipaudit import pipeline
from sipaudit.run.run import Run
many, ending, sample = int(sys.argv[1]), sys.argv[2] == "ending", sys.argv[3]
pipeline.MANY = many
Run.__del__ = lambda run: print("taken apart", flush=True)
report = pipeline.analyze(pipeline.Job((sample,)), ending=ending)
print(len(report.lines), flush=True)
"""


@pytest.mark.parametrize(("many", "ending", "said"), [
    ("1", "ending", ["4"]), ("1", "going on", ["4", "taken apart"]), ("100000", "ending", ["4", "taken apart"]),
])
def test_what_was_learnt_of_many_packets_outlives_the_report(many: str, ending: str, said: list[str]) -> None:
    sample = str(SAMPLE / "capture.pcap")
    ran = subprocess.run([sys.executable, "-c", ASK, many, ending, sample], capture_output=True, text=True, check=True)
    assert (ran.stdout.split("\n")[:-1], ran.stderr) == (said, "")
