"""The samples: sipaudit finds what their truth files state, and the reports beside them are its current output."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from sipaudit import pipeline
from sipaudit.model.values import Frame
from sipaudit.report import document
from tests.score.compare import compare
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
    verdict = compare(report.findings, truth)
    assert (verdict.missed, verdict.false) == ([], [])


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_the_moves_of_a_sample_are_those_of_its_truth(sample: Path) -> None:
    if sample.name == "mid-start":
        pytest.skip("the capture begins after the moves")
    report = json.loads((sample / "report.json").read_text())
    truth = json.loads((sample / "truth.json").read_text())
    told = [(line["line"], move["time"], move["from"], move["to"])
            for line in report["lines"] for move in line["moves"]]
    true = [(move["line"], move["time"], move["from"], move["to"]) for move in truth["moves"]]
    assert [(*each[:1], *each[2:]) for each in sorted(told)] == [(*each[:1], *each[2:]) for each in sorted(true)]
    assert all(abs(one[1] - other[1]) < 0.01 for one, other in zip(sorted(told), sorted(true), strict=True))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_the_report_beside_a_sample_is_what_comes_out(sample: Path) -> None:
    folder = sample.relative_to(ROOT)
    report = pipeline.analyze(pipeline.Job(paths=(str(folder / "capture.pcap"),), site=str(folder / "site.yaml")))
    assert document.to_json(report) == (sample / "report.json").read_bytes()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_a_sample_is_made_again_byte_by_byte(sample: Path, tmp_path: Path) -> None:
    runpy.run_path(str(ROOT / "samples" / "make.py"))["make"](sample, tmp_path)
    names = ("capture.pcap", "site.yaml", "truth.json")
    assert all((tmp_path / name).read_bytes() == (sample / name).read_bytes() for name in names)


def test_evidence_says_who_sent_what_to_whom_as_the_packets_do() -> None:
    """That includes requests of servers and the phones' answers."""
    job = pipeline.Job(paths=("samples/lab/silent/capture.pcap",), site="samples/lab/silent/site.yaml")
    ways = {placed.item.frame: tuple(end.rpartition(":")[0] for end in (placed.item.flow.source,
                                                                        placed.item.flow.destination))
            for placed in pipeline.messages(job)}
    report = pipeline.analyze(job)
    told = {proof.frame: proof.summary for told in (report.findings, report.incidents) for one in told
            for proof in one.evidence if isinstance(proof, Frame) and proof.frame is not None}
    assert told[327] == "INVITE 10.0.0.1 → 10.1.0.24"
    assert told[328] == "180 INVITE 10.1.0.24 → 10.0.0.1"
    assert {frame: f"{way[0]} → {way[1]}" for frame, way in ways.items() if frame in told} \
        == {frame: said.partition(" → ")[0].rpartition(" ")[2] + " → " + said.partition(" → ")[2]
            for frame, said in told.items() if frame in ways}
