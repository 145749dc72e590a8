"""The files that `-o` writes, each as its reader finds it."""

from __future__ import annotations

import csv
import gc
import io
import json
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sipaudit.model.values import Frame, Report
from sipaudit.report import messages as message_table
from sipaudit.report.exhibits import frames_of
from tests.frames import packets_in
from tests.outputs.desk import early_return, judged, messages, written
from tests.shared import needs_tshark
from tests.stories import Handset, Story
from tests.wire import ORIGIN


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path, Path]:
    """The report on two early returns, its directory, and the capture."""
    folder = tmp_path_factory.mktemp("files")
    story = early_return(story=Story(vlans=(7,)))
    early_return(story=story, user="1002", place=("10.1.0.6", 5062))
    capture = written(story, folder / "a.pcap")
    report, out = judged(folder, capture)
    assert len(report.findings) == 2
    return report, out, capture


def table(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "messages.parquet").to_pylist()
    return rows


def test_the_names_are_those_of_the_contract(made: tuple[Report, Path, Path]) -> None:
    report, out, _ = made
    assert {path.name for path in out.iterdir()} == {
        "report.html", "report.json", "report.md", "findings.csv", "messages.parquet", "evidence"}
    assert [path.stem for path in sorted((out / "evidence").iterdir())] == [one.id for one in report.findings]


def test_the_parquet_columns_have_their_types(made: tuple[Report, Path, Path]) -> None:
    read = pq.read_schema(made[1] / "messages.parquet")
    assert [(field.name, str(field.type).replace("element", "item")) for field in read] == [
        ("time", "timestamp[us, tz=UTC]"), ("capture", "string"), ("frame", "uint64"), ("transport", "string"),
        ("source", "string"), ("destination", "string"), ("phone", "string"), ("line", "string"),
        ("server", "string"), ("from_phone", "bool"), ("method", "string"), ("status", "int16"),
        ("request_uri", "string"), ("call_id", "string"), ("cseq", "uint32"), ("branch", "string"),
        ("from_tag", "string"), ("to_tag", "string"), ("contact", "string"), ("expires", "double"),
        ("user_agent", "string"), ("retransmission", "bool"), ("length", "uint32"),
        ("defects", "list<item: string>"),
    ]


def test_a_row_says_what_the_message_says(made: tuple[Report, Path, Path]) -> None:
    _, out, capture = made
    rows, sent = table(out), list(messages(capture))
    assert [row["frame"] for row in rows] == [item.frame for item in sent]
    assert [row["length"] for row in rows] == [len(item.payload) for item in sent]
    request = next(row for row in rows if row["method"] == "REGISTER" and row["status"] is None)
    assert request["time"].timestamp() == pytest.approx(ORIGIN)
    assert {key: value for key, value in request.items() if key not in ("time", "length", "frame")} == {
        "capture": str(capture), "transport": "udp", "source": "10.1.0.5:5060",
        "destination": "10.0.0.1:5060", "phone": "10.1.0.5:5060", "line": "sip:1001@pbx.example.com",
        "server": "10.0.0.1:5060/udp", "from_phone": True, "method": "REGISTER", "status": None,
        "request_uri": "sip:pbx.example.com", "call_id": "reg-1001@10.1.0.5:5060", "cseq": 1, "branch": "z9hG4bK1",
        "from_tag": "nearreg-10", "to_tag": None, "contact": "sip:1001@10.1.0.5", "expires": 3600.0,
        "user_agent": "PolycomVVX-VVX_500-UA/4.0.1.13681", "retransmission": False, "defects": [],
    }
    answer = next(row for row in rows if row["status"] == 401)
    assert (answer["method"], answer["from_phone"], answer["line"], answer["request_uri"]) == (
        "REGISTER", False, "sip:1001@pbx.example.com", None)
    assert sum(row["retransmission"] for row in rows) > 4
    assert {row["phone"] for row in rows} == {"10.1.0.5:5060", "10.1.0.6:5062"}


def test_messages_that_nobody_can_place_have_a_row_all_the_same(tmp_path: Path) -> None:
    story = early_return()
    story.udp(10, ("10.9.9.9", 5060), ("10.8.8.8", 5060), b"INVITE sip:x SIP/2.0\r\nCSeq: broken\r\n\r\n")
    phone = Handset(story, user="1009", place=("10.1.0.9", 5060))
    phone.ask(20, ("10.0.0.1", 5060), "OPTIONS", contact="<sip:1009@10.1.0.9>;expires=4294967295")
    _, out = judged(tmp_path, written(story, tmp_path / "a.pcap"))
    rows = table(out)
    (broken,) = (row for row in rows if row["source"] == "10.9.9.9:5060")
    assert broken["defects"]
    assert [name for name, value in broken.items() if value is None] == [
        "phone", "line", "server", "from_phone", "method", "status", "request_uri", "call_id", "cseq", "branch",
        "from_tag", "to_tag", "contact", "expires", "user_agent"]
    (odd,) = (row for row in rows if row["source"] == "10.1.0.9:5060")
    assert odd["expires"] == 4294967295.0


def test_the_table_is_written_in_pieces(
        made: tuple[Report, Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, _, capture = made
    monkeypatch.setattr(message_table, "PIECE", 5)
    monkeypatch.setattr(message_table, "ROW_GROUP", 10)
    _, out = judged(tmp_path, capture)
    file = pq.ParquetFile(out / "messages.parquet")
    assert {file.metadata.row_group(index).num_rows for index in range(file.num_row_groups - 1)} == {10}
    assert file.read().equals(pa.Table.from_pylist(table(made[1]), schema=message_table.schema()))


def test_only_what_is_reported_on_is_in_the_table(made: tuple[Report, Path, Path], tmp_path: Path) -> None:
    _, _, capture = made
    _, out = judged(tmp_path, capture, job={"start": "+7500s", "end": "+7520s"})
    times = [row["time"].timestamp() - ORIGIN for row in table(out)]
    assert 300 <= min(times) < max(times) <= 320


def test_evidence_holds_the_packets_and_says_what_they_prove(made: tuple[Report, Path, Path]) -> None:
    report, out, capture = made
    data = {frame: data for _, frame, _, data, _ in packets_in(capture)}
    for finding in report.findings:
        found = packets_in(out / "evidence" / f"{finding.id}.pcapng")
        frames = [frame for frame in frames_of(finding) if frame.frame is not None]
        assert [packet[3] for packet in found] == [data[frame.frame or 0] for frame in frames]
        assert [packet[0] for packet in found] == pytest.approx([frame.time for frame in frames])


@needs_tshark
def test_wireshark_opens_evidence_and_shows_the_comments(made: tuple[Report, Path, Path]) -> None:
    report, out, capture = made
    for finding in report.findings:
        path = out / "evidence" / f"{finding.id}.pcapng"
        fields = ["-T", "fields", "-e", "frame.comment", "-e", "sip.CSeq", "-e", "frame.interface_name"]
        shown = subprocess.run(["tshark", "-r", path, *fields], check=True, capture_output=True, text=True).stdout
        rows = [line.split("\t") for line in shown.splitlines()]
        frames = [proof for proof in finding.evidence if isinstance(proof, Frame)]
        assert len(rows) == len(frames)
        for (comment, _, interface), frame in zip(rows, frames, strict=True):
            assert comment.startswith(f"{finding.id} {finding.rule}: {frame.summary} ({capture}, frame {frame.frame})")
            assert interface == str(capture)
        assert sum("observed: " + finding.observed in comment for comment, *_ in rows) == 1


def test_evidence_of_the_worst_alone(made: tuple[Report, Path, Path], tmp_path: Path) -> None:
    report, _, capture = made
    _, out = judged(tmp_path, capture, evidence=1)
    assert [path.stem for path in (out / "evidence").iterdir()] == [report.findings[0].id]
    _, out = judged(tmp_path, capture, evidence=0)
    assert not (out / "evidence").exists()


def test_csv_has_a_row_a_finding(made: tuple[Report, Path, Path]) -> None:
    report, out, capture = made
    rows = list(csv.DictReader(io.StringIO((out / "findings.csv").read_text(), newline="")))
    for row, finding in zip(rows, report.findings, strict=True):
        assert (row["id"], row["rule"], row["severity"], row["line"]) == (
            finding.id, finding.rule, finding.severity, finding.line)
        assert row["time"].endswith("Z")
        assert float(row["epoch"]) == finding.time
        assert row["basis"] == ";".join(finding.basis)
        assert json.loads(row["facts"]) == finding.facts
        assert row["evidence"] == ";".join(f"{capture}:{frame.frame}" for frame in frames_of(finding))


@pytest.mark.parametrize("redact", [False, True])
def test_no_file_is_left_open(made: tuple[Report, Path, Path], tmp_path: Path, redact: bool) -> None:
    with warnings.catch_warnings(record=True, action="always", category=ResourceWarning) as told:
        judged(tmp_path, made[2], job={"redact": redact})
        gc.collect()
    assert [str(one.message) for one in told] == []


def test_the_same_input_makes_the_same_files(made: tuple[Report, Path, Path], tmp_path: Path) -> None:
    """Except for the path of the site file, which findings name."""
    _, out, capture = made
    _, again = judged(tmp_path, capture)
    assert (again / "messages.parquet").read_bytes() == (out / "messages.parquet").read_bytes()
    assert {path.name for path in again.rglob("*")} == {path.name for path in out.rglob("*")}
