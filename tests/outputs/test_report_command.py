"""`sipaudit report`: an earlier run is rendered again, and two runs are compared."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from msgspec.structs import replace

from sipaudit.model.values import Finding, Report, Severity
from sipaudit.report import comparison, document
from tests.cli.conftest import Command
from tests.outputs.desk import early_return, judged, written
from tests.shared import ROOT, SAMPLE
from tests.stories import Handset, P, Story

Runs = tuple[Path, Path]


def run(folder: Path, *users: str, host: str = "10.1.0") -> tuple[Report, Path]:
    """A run in which these phones go back too early."""
    folder.mkdir()
    story = Story()
    for user in users:
        early_return(story=story, user=user, place=(f"{host}.{user}", 5060))
    return judged(folder, written(story, folder / "a.pcap"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Before: phones 11 and 12 are at fault. After: 12, now at another address, and 13."""
    folder = tmp_path_factory.mktemp("runs")
    _, before = run(folder / "before", "11", "12")
    _, after = run(folder / "after", "12", "13", host="10.1.7")
    return before, after


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "junit"])
def test_what_is_rendered_again_is_what_was_written(runs: Runs, sipaudit_command: Command, form: str) -> None:
    before, _ = runs
    capture = str(before.parent / "a.pcap")
    first = sipaudit_command("analyze", capture, "--site", str(before.parent / "site.yaml"), "--format", form)
    again = sipaudit_command("report", str(before / "report.json"), "--format", form)
    assert (again.code, again.out) == (0, first.out)
    assert sipaudit_command("report", str(before), "--format", form).out == first.out


def test_text_is_rendered_again_in_another_zone(runs: Runs, sipaudit_command: Command) -> None:
    shown = sipaudit_command("report", str(runs[0]), "--tz", "Asia/Tokyo")
    assert "premature-failback" in shown.out
    assert "21:05:36" in shown.out


def test_o_writes_what_the_report_allows_and_says_what_it_lacks(
        runs: Runs, sipaudit_command: Command, tmp_path: Path) -> None:
    before, after = runs
    result = sipaudit_command("report", str(before), "-o", str(tmp_path / "new"))
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "report.html", "report.json", "report.md", "findings.csv"}
    assert "messages.parquet and evidence need the captures" in result.err
    shutil.copytree(before, tmp_path / "same")
    assert "left as they are" in sipaudit_command("report", str(tmp_path / "same"), "-o", str(tmp_path / "same")).err
    assert {path.name for path in (tmp_path / "same").iterdir()} == {path.name for path in before.iterdir()}
    sipaudit_command("report", str(after), "-o", str(tmp_path / "same"))  # its messages are those of another run
    assert {path.name for path in (tmp_path / "same").iterdir()} == {
        "report.html", "report.json", "report.md", "findings.csv"}


def test_new_gone_and_same(runs: Runs, sipaudit_command: Command) -> None:
    before, after = runs
    result = sipaudit_command("report", str(after), "--compare", str(before), "--format", "json")
    compared = json.loads(result.out)
    assert [one["line"] for one in compared["new"]] == ["sip:13@pbx.example.com"]
    assert [one["line"] for one in compared["gone"]] == ["sip:11@pbx.example.com"]
    assert [(one["before"], one["after"], one["line"]) for one in compared["same"]] == [
        ("f-000002", "f-000001", "sip:12@pbx.example.com")]
    assert compared["schema"] == "sipaudit.comparison/1"
    text = sipaudit_command("report", str(after), "--compare", str(before)).out
    assert "1 new, 1 gone, 1 the same." in text


def test_a_comparison_in_the_other_forms(runs: Runs, sipaudit_command: Command, tmp_path: Path) -> None:
    before, after = runs
    words = ("report", str(after), "--compare", str(before))
    lines = sipaudit_command(*words, "--format", "jsonl").out.splitlines()
    assert [json.loads(line)["type"] for line in lines] == ["new", "gone", "same"]
    rows = list(csv.DictReader(io.StringIO(sipaudit_command(*words, "--format", "csv").out, newline="")))
    assert [(row["change"], row["line"][4:6]) for row in rows] == [("same", "12"), ("new", "13"), ("gone", "11")]
    suite = ET.fromstring(sipaudit_command(*words, "--format", "junit").out).find("testsuite")
    assert suite is not None
    assert [case.get("name", "")[:8] for case in suite if case.find("failure") is not None] == ["f-000002"]
    assert [case.get("name", "")[:8] for case in suite if case.find("skipped") is not None
            and case.get("name", "").startswith("f-")] == ["f-000001"]
    assert sipaudit_command(*words, "-o", str(tmp_path)).code == 0
    assert json.loads((tmp_path / "comparison.json").read_text())["new"]


def test_where_nothing_was_checked_no_suite_passes(tmp_path: Path, sipaudit_command: Command) -> None:
    story = Story()
    Handset(story).ask(0, P, "REGISTER", expires=3600)
    capture = written(story, tmp_path / "unanswered.pcap")
    suite = ET.fromstring(sipaudit_command("analyze", str(capture), "--format", "junit").out).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("skipped"), suite.get("failures")) == ("1", "1", "0")


def test_only_a_new_finding_fails_a_comparison(runs: Runs, sipaudit_command: Command) -> None:
    before, after = runs
    assert sipaudit_command("report", str(after), "--fail-on", "error").code == 3
    failed = sipaudit_command("report", str(after), "--compare", str(before), "--fail-on", "error")
    assert (failed.code, failed.err) == (3, "sipaudit: 1 new finding of severity error or above (--fail-on error)\n")
    assert sipaudit_command("report", str(after), "--compare", str(after), "--fail-on", "error").code == 0


def one(report: Report, **changes: object) -> Finding:
    return replace(report.findings[0], **changes)


def compare(before: list[Finding], after: list[Finding], report: Report) -> tuple[int, int, int]:
    found = comparison.compare(replace(report, findings=before), replace(report, findings=after))
    return len(found.new), len(found.gone), len(found.same)


def test_what_is_suppressed_counts_in_no_comparison(runs: Runs) -> None:
    report = document.read(str(runs[0]))
    counts, hushed = [one(report)], [one(report, suppressed="known")]
    assert compare(counts, hushed, report) == (0, 0, 0)     # still there, but accepted
    assert compare(hushed, counts, report) == (1, 0, 0)     # no longer accepted
    assert compare(hushed, hushed, report) == (0, 0, 0)
    assert compare(hushed, [], report) == (0, 0, 0)
    after = replace(report, findings=hushed)
    rows = b"".join(comparison.to_csv(comparison.compare(after, after), after)).decode().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["change", "suppressed"]   # marked as suppressed in every output


def test_what_makes_a_finding_the_same(runs: Runs) -> None:
    report = document.read(str(runs[0]))
    was = one(report)
    other_day = one(report, id="f-000007", time=1.9e9, phone="10.7.7.7:5071", facts={**was.facts, "elapsed": 3.1},
                    severity=Severity.WARNING, evidence=[], observed="otherwise")
    assert compare([was], [other_day], report) == (0, 0, 1)
    for change in ({"rule": "flapping"}, {"line": "sip:99@pbx.example.com"}, {"server": "10.0.0.9:5060/udp"},
                   {"facts": {"kind": "other"}}):
        assert compare([was], [one(report, **change)], report) == (1, 1, 0)
    # without a line: earlier versions wrote an empty string there
    assert compare([one(report, line="")], [one(report, line=None)], report) == (0, 0, 1)


def test_findings_that_look_alike_are_counted(runs: Runs) -> None:
    report = document.read(str(runs[0]))
    alike = [one(report, id=f"f-{number}", phone=f"10.1.0.{number}:5060") for number in (1, 2, 3)]
    assert compare(alike, alike[1:], report) == (0, 1, 2)
    found = comparison.compare(replace(report, findings=alike), replace(report, findings=alike[1:]))
    assert [finding.id for finding in found.gone] == ["f-1"]  # among equals, the phone decides


def test_reports_that_have_nothing_in_common_are_warned_of(
        runs: Runs, sipaudit_command: Command, tmp_path: Path) -> None:
    """Findings under the pseudonyms of two different keys would all be new."""
    before, after = runs
    assert sipaudit_command("report", str(after), "--compare", str(before)).err == ""
    for name in ("one", "other"):
        sipaudit_command("report", str(before), "--redact", "-o", str(tmp_path / name))
    warned = sipaudit_command("report", str(tmp_path / "one"), "--compare", str(tmp_path / "other"))
    assert (warned.code, warned.err) == (
        0, "sipaudit: warning: the two reports have no line in common, so that no finding of one is in the other: "
           "under pseudonyms they agree only where both were written with one --redact-key\n")
    other = sipaudit_command("report", str(before), "--compare", str(SAMPLE))
    assert other.err.endswith("so that no finding of one is in the other\n")


def test_incidents_of_both_runs_stand_side_by_side(sipaudit_command: Command) -> None:
    """They show whether phones move sooner after a change, and what an outage costs."""
    before, after = ROOT / "samples" / "clean-outage", ROOT / "samples" / "flapping"
    words = ("report", str(after), "--compare", str(before))
    compared = json.loads(sipaudit_command(*words, "--format", "json").out)["incidents"]
    assert [(one["kind"], one["entry"], one["before"]["incidents"], one["after"]["incidents"]) for one in compared] == [
        ("flapping", "sbc", 0, 1), ("server-outage", "sbc", 1, 7)]
    outages = [incident.metrics for incident in document.read(str(after)).incidents if incident.kind == "server-outage"]
    later = compared[1]["after"]
    assert later["time_to_recover_max"] == max(metrics["time_to_recover_max"] or 0 for metrics in outages)
    assert later["calls_failed"] == sum(int(metrics["calls_failed"] or 0) for metrics in outages)
    assert compared[0]["before"] == {"incidents": 0, "lines": 0, **dict.fromkeys(list(later)[2:])}
    rows = [line.split() for line in sipaudit_command(*words).out.splitlines() if line.startswith("server-outage")]
    assert [row[2:4] for row in rows] == [["before", "1"], ["after", "7"]]


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"schema": "sipaudit.report/1"}', "\x00", None])
def test_what_is_no_report_is_refused_with_its_name(
        tmp_path: Path, sipaudit_command: Command, content: str | None) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    result = sipaudit_command("report", str(path), "-o", str(tmp_path / "out"))
    assert result.code == 2
    assert result.err.startswith(f"sipaudit: {path}: ")
    assert not (tmp_path / "out").exists()


def test_a_report_of_another_schema_is_refused(runs: Runs, tmp_path: Path, sipaudit_command: Command) -> None:
    report = document.read(str(runs[0]))
    (tmp_path / "report.json").write_bytes(document.to_json(replace(report, schema="sipaudit.report/9")))
    result = sipaudit_command("report", str(tmp_path))
    assert result.code == 2
    assert "sipaudit.report/9" in result.err
