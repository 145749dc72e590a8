"""Compares what sipaudit finds in a scene with what its script did."""

from __future__ import annotations

import json
from pathlib import Path

from sipaudit import pipeline
from sipaudit.model.values import Report
from tests.score.compare import hits


def analyzed(folder: Path) -> Report:
    return pipeline.analyze(pipeline.Job(paths=(str(folder / "capture.pcap"),), site=str(folder / "site.yaml")))


def differences(report: Report, folder: Path) -> list[str]:
    """Findings of any severity that are no deliberate breach, and breaches that were not found; one sentence each."""
    left = list(report.findings)
    said: list[str] = []
    for entry in json.loads((folder / "truth.json").read_text())["truth"]:
        hit = [finding for finding in left if hits(finding, entry)]
        for finding in hit:
            left.remove(finding)
        if not hit and not entry["maybe"]:
            said.append(f"not found: {entry['rule']} of {entry['line']} at {entry['time']:.3f}")
    said += [f"accused: {finding.severity} {finding.rule} of {finding.line} at {finding.time}: {finding.observed}"
             for finding in left]
    return said


def moved_because(report: Report) -> set[str]:
    """The causes of the lines' first failovers; empty text for a line that never failed over."""
    return {next((move.cause for move in line.moves if move.kind == "failover"), "") for line in report.lines}
