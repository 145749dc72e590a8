"""How numbers are written in the JSON report (contract.md 3): times with up to 6 decimals, durations with up to 3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sipaudit import pipeline
from sipaudit.report import document
from tests.capture.numbered import START, pcap
from tests.shared import ROOT

MOMENTS = {"time", "first_packet", "first", "last", "from", "up", "until", "start", "end"}
SHARES = {"estimate"}
REPORTS = sorted((ROOT / "samples").glob("*/report.json"))


def too_long(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every number with more decimals than its kind has."""
    if isinstance(value, dict):
        for name, of_it in value.items():
            yield from too_long(of_it, name)
    elif isinstance(value, list):
        for item in value:
            yield from too_long(item, key)
    elif isinstance(value, float) and value != round(value, 6 if key in MOMENTS | SHARES else 3):
        yield key, value


@pytest.mark.parametrize("report", REPORTS, ids=lambda path: path.parent.name)
def test_samples(report: Path) -> None:
    assert list(too_long(json.loads(report.read_text()))) == []


def test_a_clock_that_was_set_back(tmp_path: Path) -> None:
    capture = tmp_path / "a.pcap"
    capture.write_bytes(pcap([START, START + 3601.123456, START + 2.5]))
    report = pipeline.analyze(pipeline.Job((str(capture),)))
    assert [step.seconds for step in report.captures[0].clock_steps] == [-3598.623]
    assert list(too_long(json.loads(document.to_json(report)))) == []
