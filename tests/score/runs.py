"""One plan simulated and analysed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sipaudit import pipeline
from sipaudit.model.values import Report
from sipaudit.simulate.simulate import simulate
from tests.score.compare import Verdict, compare


class Judged(NamedTuple):
    """The report on a plan's capture, the truth of it, and how the two agree."""

    report: Report
    truth: dict[str, Any]
    verdict: Verdict

    @property
    def found(self) -> list[tuple[str, str]]:
        """Rule and user of each finding."""
        return [(finding.rule, (finding.line or "").partition(":")[2].partition("@")[0])
                for finding in self.report.findings]

    @property
    def moves(self) -> list[tuple[str, str, str, str]]:
        """Line, kind and servers of each move that was found, sorted."""
        return sorted((line.line, move.kind, move.from_ or "", move.to or "")
                      for line in self.report.lines for move in line.moves)

    @property
    def true_moves(self) -> list[tuple[str, str, str, str]]:
        return sorted((move["line"], move["kind"], move["from"], move["to"]) for move in self.truth["moves"])


def judged(plan: dict[str, Any], folder: Path, name: str) -> Judged:
    """The report on a plan's capture, its truth, and how the two agree."""
    written = folder / f"{name}.yaml"
    written.write_text(yaml.safe_dump(plan, sort_keys=False))
    capture, site, truth, *_ = simulate(str(written), str(folder / f"{name}.pcap"))
    report = pipeline.analyze(pipeline.Job(paths=(str(capture),), site=str(site)), warn=lambda _: None)
    known = json.loads(truth.read_text())
    return Judged(report, known, compare(report.findings, known["truth"], report.inconclusive, name))
