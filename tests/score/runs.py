"""One plan simulated and analysed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from sipaudit import pipeline
from sipaudit.model.values import Report
from sipaudit.simulate.simulate import simulate
from tests.score.compare import Verdict, compare


def judged(plan: dict[str, Any], folder: Path, name: str) -> tuple[Report, dict[str, Any], Verdict]:
    """The report on a plan's capture, its truth, and how the two agree."""
    written = folder / f"{name}.yaml"
    written.write_text(yaml.safe_dump(plan, sort_keys=False))
    capture, site, truth = simulate(str(written), str(folder / f"{name}.pcap"))
    report = pipeline.analyze(pipeline.Job(paths=(str(capture),), site=str(site)), warn=lambda _: None)
    known = json.loads(truth.read_text())
    return report, known, compare(report.findings, known["truth"], report.inconclusive, name)
