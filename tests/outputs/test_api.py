"""The Python interface: what a notebook calls, and what the import costs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

import sipaudit
from sipaudit import pipeline
from sipaudit.errors import InputErrors
from sipaudit.model.values import GroupShare, Happening, Incident
from sipaudit.report import frames
from tests.outputs.desk import early_return, judged, site_file, written
from tests.shared import ROOT, SAMPLE
from tests.stories import Story

TIME, TEXT = "datetime64[us, UTC]", "string"


@pytest.fixture(scope="module")
def report() -> sipaudit.Report:
    return sipaudit.analyze(SAMPLE / "capture.pcap", site=SAMPLE / "site.yaml")


def test_importing_it_costs_next_to_nothing() -> None:
    code = "import sipaudit, sys; print(*{name.partition('.')[0] for name in sys.modules}); sipaudit.analyze"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"pandas", "numpy", "pyarrow", "msgspec", "yaml", "pcapy"} & set(ran.stdout.split())


def test_its_names_are_there_and_no_others() -> None:
    assert {"analyze", "read_messages", "Report", "InputError"} <= set(dir(sipaudit))
    with pytest.raises(AttributeError, match="analyse"):
        _ = sipaudit.analyse


@pytest.mark.parametrize("ask", ["analyze", "read_messages"])
def test_nothing_of_a_run_is_left_but_what_was_found(ask: str) -> None:
    code = f"""
import gc, sipaudit
from sipaudit.reconstruct.phones import Phone
from sipaudit.run.route import Route
found = sipaudit.{ask}({str(SAMPLE / "capture.pcap")!r})
print(sum(isinstance(one, (Route, Phone)) for one in gc.get_objects()))"""
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "0\n"


def test_findings_are_those_of_the_report(report: sipaudit.Report) -> None:
    told = json.loads(report.to_json())["findings"]
    assert list(report.findings["id"]) == [one["id"] for one in told]
    assert list(report.findings["facts"]) == [one["facts"] for one in told]
    assert [time.timestamp() for time in report.findings["time"]] == [one["time"] for one in told]
    assert (report.findings["severity"] >= "warning").all()
    assert report.findings["evidence"][0][0]["frame"] == told[0]["evidence"][0]["frame"]
    assert report.findings["suppressed"].isna().all()


def test_lines_moves_and_registrations_are_told_by_line(report: sipaudit.Report) -> None:
    told = json.loads(report.to_json())["lines"]
    assert list(report.lines["line"]) == [one["line"] for one in told]
    assert len(report.moves) == sum(len(one["moves"]) for one in told)
    first = next(one for one in told if one["moves"])
    move = report.moves[report.moves["line"] == first["line"]].iloc[0]
    assert (move["kind"], move["from"], move["to"]) == tuple(first["moves"][0][key] for key in ("kind", "from", "to"))
    assert len(report.registrations) == sum(len(one["registrations"]) for one in told)
    assert set(report.registrations["expires"]) == {300.0}


def test_incidents_have_their_metrics_as_columns(report: sipaudit.Report) -> None:
    incident = Incident(
        "i-0001", "server-outage", "10.0.0.1:5060/udp", None, "closed", 1.0, None, ["sip:1@x"], 1,
        [GroupShare("A", 1, 2)], ["f-000001"], {"time_to_detect_p50": 3.6, "lines_moved": 2}, [],
        [Happening(1.0, "last answer")])
    row = frames.incidents(replace(report.document, incidents=[incident])).iloc[0]
    assert (row["time_to_detect_p50"], row["lines_moved"], row["groups"]) == (
        3.6, 2.0, [{"group": "A", "lines": 1, "of": 2}])
    assert pd.isna(row["end"])
    assert pd.isna(row["calls_lost"])


def test_columns_have_their_types_with_and_without_rows(report: sipaudit.Report) -> None:
    empty = sipaudit.Report(replace(report.document, findings=[], lines=[], incidents=[]))
    for name in ("findings", "lines", "moves", "registrations", "incidents"):
        assert len(getattr(empty, name)) == 0
        assert dict(getattr(empty, name).dtypes) == dict(getattr(report, name).dtypes), name
    types = {name: str(kind) for name, kind in report.findings.dtypes.items()}
    assert (types["time"], types["line"], types["facts"], types["severity"]) == (TIME, TEXT, "object", "category")


def test_documented_columns_are_the_columns(report: sipaudit.Report) -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    for name in ("findings", "lines", "moves", "registrations", "incidents"):
        part = page.partition(f"`.{name}`, a row")[2].partition("\n\n`.")[0]
        described = set(re.findall(r"`([a-z_0-9]+)`", part))
        columns = set(getattr(report, name).columns) - {
            f"time_to_{what}_{which}" for what in ("detect", "recover") for which in ("p95", "max")}
        assert columns <= described, (name, columns - described)


def test_messages_are_those_of_the_parquet_file(tmp_path: Path) -> None:
    capture = written(early_return(), tmp_path / "a.pcap")
    _, out = judged(tmp_path, capture)
    table = sipaudit.read_messages([capture], site=site_file(tmp_path))
    filed = pq.read_table(out / "messages.parquet").to_pylist()
    assert list(table.columns) == list(filed[0])
    for name in table.columns:
        if name not in ("time", "defects"):
            told = [None if pd.isna(value) else value for value in table[name]]
            assert told == [row[name] for row in filed], name
    assert [time.to_pydatetime() for time in table["time"]] == [row["time"] for row in filed]
    assert {name: str(kind) for name, kind in table.dtypes.items() if str(kind) != TEXT} == {
        "time": TIME, "frame": "UInt64", "from_phone": "boolean", "status": "Int16", "cseq": "UInt32",
        "expires": "float64", "retransmission": "boolean", "length": "UInt32", "defects": "object"}


def test_parameters_are_those_of_the_command_line(tmp_path: Path) -> None:
    capture = written(early_return(), tmp_path / "a.pcap")
    plain = pipeline.analyze(pipeline.Job((str(capture),), site=site_file(tmp_path), zone="utc"))
    assert sipaudit.analyze(str(capture), site=site_file(tmp_path), jobs=1).document == plain
    longer = sipaudit.analyze(capture, site=site_file(tmp_path), settings={"failBack.timeout": 90})
    assert [facts["timeout"] for facts in longer.findings["facts"]] == [90]
    hushed = tmp_path / "known.yaml"
    hushed.write_text("[{rule: '*', reason: known}]")
    found = sipaudit.analyze([capture], site=site_file(tmp_path), suppress=hushed, engine="libpcap").findings
    assert list(found["suppressed"]) == ["known"]


@pytest.mark.parametrize(("settings", "said"), [
    ({"reRegisteron": 1}, "settings: there is no setting 'reRegisteron'"),
    ({"failBack.mode": "soon"}, "settings: failBack.mode cannot be 'soon'"),
    ({"expires": ""}, "settings: 'expires=' gives no value"),
])
def test_what_is_wrong_with_settings_is_said_of_them_and_of_no_option(settings: dict[str, object], said: str) -> None:
    for ask in (sipaudit.analyze, sipaudit.read_messages):
        with pytest.raises(sipaudit.InputError) as caught:
            ask(SAMPLE / "capture.pcap", settings=settings)
        assert said in str(caught.value)
        assert "--set" not in str(caught.value)


def test_where_a_setting_comes_from_is_said_as_the_caller_said_it() -> None:
    found = sipaudit.analyze(SAMPLE / "capture.pcap", settings={"expires": 300})
    assert {settings["expires"]["source"] for settings in found.lines["settings"]} == {"settings"}


@pytest.mark.parametrize("asked", [{"paths": ""}, {"site": ""}, {"config": [""]}, {"rules": ""}, {"suppress": ""}])
def test_an_empty_path_is_not_this_directory(asked: dict[str, Any]) -> None:
    with pytest.raises(sipaudit.InputError, match="a path is empty"):
        sipaudit.analyze(**{"paths": SAMPLE / "capture.pcap", **asked})


def test_what_the_caller_can_mend_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(sipaudit.InputError) as caught:
        sipaudit.analyze(tmp_path / "none.pcap")
    assert caught.value.file == str(tmp_path / "none.pcap")
    (tmp_path / "bad.yaml").write_text("lines: 3\nentries: 4\n")
    with pytest.raises(InputErrors):
        sipaudit.analyze(SAMPLE / "capture.pcap", site=tmp_path / "bad.yaml")
    for wrong in ({"engine": "scapy"}, {"jobs": 0}, {"settings": {"failBack.mod": 1}}):
        with pytest.raises(sipaudit.InputError):
            sipaudit.analyze(SAMPLE / "capture.pcap", **wrong)
    with pytest.raises(sipaudit.InputError):
        sipaudit.read_messages([])


def test_a_zone_that_does_not_exist_is_said_of_the_argument(report: sipaudit.Report) -> None:
    with pytest.raises(sipaudit.InputError, match=r"^zone: there is no time zone 'Mars'"):
        report.to_html("Mars")


def test_no_capture_is_an_error_of_its_own() -> None:
    with pytest.raises(sipaudit.InputError, match=r"^no capture is named"):
        sipaudit.analyze([])


def test_a_suppression_that_suppresses_nothing_is_warned_of_at_the_line_that_asked(tmp_path: Path) -> None:
    """It is issued when the report is made and all that was opened for it is closed, yet names the caller."""
    (tmp_path / "known.yaml").write_text("- {rule: flapping, reason: known}")
    with pytest.warns(UserWarning, match="suppresses nothing") as said:
        sipaudit.analyze(SAMPLE / "capture.pcap", suppress=tmp_path / "known.yaml")
    assert [warning.filename for warning in said] == [__file__]


def test_warnings_are_warnings(tmp_path: Path) -> None:
    written(early_return(), tmp_path / "a.pcap")
    (tmp_path / "notes.txt").write_text("no capture")
    for ask in sipaudit.analyze, sipaudit.read_messages:
        with pytest.warns(UserWarning, match=r"notes\.txt") as said:
            ask(tmp_path)
        assert [warning.filename for warning in said] == [__file__], "of the line that asked"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sipaudit.analyze(tmp_path / "a.pcap")


def test_a_notebook_shows_it_escaped(tmp_path: Path) -> None:
    capture = written(early_return(story=Story(), user="<script src=x\x1b[1m"), tmp_path / "a.pcap")
    report = sipaudit.analyze(capture, site=site_file(tmp_path))
    page = report._repr_html_()
    assert "&lt;script src=x\\x1b[1m@" in page
    assert set(re.findall(r"<(\w+)", page)) <= {"div", "p", "table", "thead", "tbody", "tr", "th", "td"}
    assert "1 error" in repr(report)


def examples() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_examples_run() -> None:
    assert len(examples()) == 2
    command = [sys.executable, "-W", "error", "-c", "\n".join(examples())]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert "premature-failback" in ran.stdout
    assert "no-such.pcap does not exist" in ran.stdout
