"""The samples: what sipaudit finds is what their truth says, and the report beside them is its own."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import pytest

from sipaudit import pipeline
from sipaudit.report import document
from tests.shared import ROOT

SAMPLES = sorted(path.parent for path in (ROOT / "samples").glob("*/truth.json"))


@pytest.fixture(autouse=True)
def _in_the_top_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_findings_are_the_truth(sample: Path) -> None:
    folder = sample.relative_to(ROOT)
    report = pipeline.analyze(pipeline.Job(paths=(str(folder / "capture.pcap"),), site=str(folder / "site.yaml")))
    truth = json.loads((sample / "truth.json").read_text())["truth"]
    found = {(finding.line, finding.rule): finding for finding in report.findings}
    for entry in truth:
        finding = found.pop((entry["line"], entry["rule"]))
        assert abs((finding.time or 0) - entry["time"]) <= entry["slack"]
    assert found == {}, "false accusations"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_the_report_beside_a_sample_is_what_comes_out(sample: Path) -> None:
    folder = sample.relative_to(ROOT)
    report = pipeline.analyze(pipeline.Job(paths=(str(folder / "capture.pcap"),), site=str(folder / "site.yaml")))
    assert document.to_json(report) == (sample / "report.json").read_bytes()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_a_sample_is_made_again_byte_by_byte(sample: Path, tmp_path: Path) -> None:
    copy = tmp_path / sample.name
    shutil.copytree(sample, copy)
    (copy / "capture.pcap").unlink()
    runpy.run_path(str(copy / "make.py"), run_name="__main__")
    assert (copy / "capture.pcap").read_bytes() == (sample / "capture.pcap").read_bytes()
    assert (copy / "truth.json").read_bytes() == (sample / "truth.json").read_bytes()
