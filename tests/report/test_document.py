"""The JSON document: its schema, its bytes, and reading it back."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest

from sipaudit import pipeline
from sipaudit.errors import InputError
from sipaudit.model.values import Report
from sipaudit.report import document
from tests.shared import ROOT, SAMPLE


@pytest.fixture(scope="module")
def report() -> Report:
    return pipeline.analyze(pipeline.Job(paths=(str(SAMPLE / "capture.pcap"),), site=str(SAMPLE / "site.yaml")))


def test_the_schema_in_the_package_is_that_of_the_values() -> None:
    assert json.loads((ROOT / "sipaudit" / "report.schema.json").read_text()) == document.schema()


def test_a_report_is_valid_by_its_schema(report: Report) -> None:
    jsonschema.validate(json.loads(document.to_json(report)), document.schema())


def test_a_report_read_back_is_the_same(report: Report) -> None:
    assert document.from_json(document.to_json(report)) == report


@pytest.mark.parametrize("rows", [1, 2, 500])
def test_its_pieces_are_the_document_that_is_made_at_once(
        report: Report, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "ROWS_AT_ONCE", rows)
    said = msgspec.structs.replace(report, notes=["of two\nlines", ""], events=[])
    assert document.to_json(said) == document.indented(said)


def test_what_is_no_report_is_refused() -> None:
    with pytest.raises(InputError, match="not a sipaudit report"):
        document.from_json(b'{"schema": "something/1"}')


@pytest.mark.parametrize(("schema", "said"), [
    ("sipaudit.report/2", "is a report of another version, sipaudit.report/2; this one reads sipaudit.report/1"),
    ("sipaudit.comparison/1", "is no report but sipaudit.comparison/1"),
    ("else/1", "not a sipaudit report"),
])
@pytest.mark.parametrize("whole", [True, False])
def test_a_document_of_another_kind_or_version_is_called_so(
        report: Report, schema: str, said: str, whole: bool) -> None:
    """A document of another version may lack required fields; an error about those would not help the reader."""
    content = json.loads(document.to_json(report)) if whole else {"incidents": [{}]}
    with pytest.raises(InputError) as refused:
        document.from_json(json.dumps({**content, "schema": schema}).encode())
    assert said in refused.value.message


def test_json_lines_say_one_thing_each_in_the_order_of_the_contract() -> None:
    sample = ROOT / "samples" / "bye-to-a-dead-server"  # in which a check stays undecided
    report = pipeline.analyze(pipeline.Job(paths=(str(sample / "capture.pcap"),), site=str(sample / "site.yaml")))
    lines = [json.loads(line) for line in document.to_jsonl(report)]
    kinds = list(dict.fromkeys(line["type"] for line in lines))
    assert kinds == ["capture", "server", "line", "move", "finding", "incident", "inconclusive", "reached"]
    assert all(set(line) >= {"type", line["type"]} for line in lines)


def test_json_lines_tell_moves_and_findings_by_time(report: Report) -> None:
    said = [json.loads(line) for line in document.to_jsonl(report)]
    for kind in ("move", "finding"):
        times = [one[kind]["time"] for one in said if one["type"] == kind]
        assert len(times) > 1
        assert times == sorted(times)


def test_keys_stand_in_the_order_of_the_contract(report: Report) -> None:
    finding = json.loads(document.to_json(report))["findings"][0]
    assert list(finding) == [
        "id", "rule", "severity", "confidence", "line", "phone", "server", "time", "expected", "observed", "basis",
        "facts", "assumptions", "also", "cause", "incident", "suppressed", "wireshark", "evidence"]


def test_a_file_name_that_is_no_text_is_written_all_the_same(tmp_path: Path) -> None:
    odd = tmp_path / "out\udcffage.pcap"
    odd.write_bytes((SAMPLE / "capture.pcap").read_bytes())
    written = document.to_json(pipeline.analyze(pipeline.Job(paths=(str(odd),))))
    assert "out\\udcffage.pcap" in json.loads(written)["captures"][0]["path"]
