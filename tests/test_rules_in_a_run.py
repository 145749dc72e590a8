"""--rules and --suppress, from the command line's words to the report."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from unittest.mock import Mock

import pytest

from sipaudit import pipeline
from sipaudit.errors import InputErrors
from sipaudit.model.values import Finding, Reached, Report, Undecided
from sipaudit.report import text
from tests.shared import ROOT, SAMPLE


def analyze(*, rules: tuple[Path, ...] = (), suppress: Path | None = None) -> tuple[Report, list[str]]:
    said: list[str] = []
    job = pipeline.Job(
        paths=(str(SAMPLE / "capture.pcap"),), site=str(SAMPLE / "site.yaml"), zone="utc",
        rules=tuple(map(str, rules)), suppress=None if suppress is None else str(suppress),
    )
    return pipeline.analyze(job, warn=said.append), said


def written(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


def test_a_severity_that_is_raised_is_said_in_the_report(tmp_path: Path) -> None:
    shipped, _ = analyze()
    low = written(tmp_path / "low.yaml", "override: {premature-failback: {severity: info}}")
    report, _ = analyze(rules=(low,))
    assert shipped.notes == report.notes == []
    assert {one.severity for one in report.findings if one.rule == "premature-failback"} == {"info"}


def test_notes_of_the_rules_stand_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    source = (ROOT / "rules/ea66546/failback/premature-failback.yaml").read_text()
    written(pack / "premature-failback.yaml", source.replace("severity: error", "severity: warning"))
    monkeypatch.setattr("sipaudit.rulebook.pack.pack_folder", lambda: pack)
    high = written(tmp_path / "high.yaml", "override: {premature-failback: {severity: error}}")
    report, _ = analyze(rules=(high,))
    (note,) = report.notes
    assert note == f"premature-failback is error by {high}:1; in the rules that ship it is warning."
    assert "premature-failback is error by" in text.render(report, UTC, 200, False)


def test_a_rule_that_is_disabled_leaves_no_trace(tmp_path: Path) -> None:
    off = written(tmp_path / "off.yaml", "override: {premature-failback: {enabled: false}}")
    report, _ = analyze(rules=(off,))
    rows: list[Finding | Reached | Undecided] = [*report.findings, *report.reached, *report.inconclusive]
    assert "premature-failback" not in {row.rule for row in rows}
    assert report.findings  # the other rule still has findings


def test_a_tolerance_of_a_rule_is_its_own(tmp_path: Path) -> None:
    wide = written(tmp_path / "wide.yaml", "override: {premature-failback: {tolerance: {timer: 3600}}}")
    shipped, _ = analyze()
    report, _ = analyze(rules=(wide,))
    assert "premature-failback" in {one.rule for one in shipped.findings}
    assert [one.rule for one in report.findings] == [
        one.rule for one in shipped.findings if one.rule != "premature-failback"]


def test_suppressed_findings_stay_marked_and_do_not_count(tmp_path: Path) -> None:
    known = written(tmp_path / "known.yaml", "- {rule: premature-failback, reason: ticket 4711}\n"
                                             "- {rule: '*', phone: 192.0.2.1, reason: nobody}\n")
    shipped, _ = analyze()
    report, said = analyze(suppress=known)
    assert [one.id for one in report.findings] == [one.id for one in shipped.findings]
    marked = [one for one in report.findings if one.suppressed == "ticket 4711"]
    assert {one.rule for one in marked} == {"premature-failback"}
    assert said == [f"{known}:2: this item suppresses nothing"]
    shown = text.render(report, UTC, 200, False)
    assert f"Suppressed and not counted: {len(marked)}." in shown
    assert "(suppressed: ticket 4711)" in shown


def test_when_all_findings_are_suppressed_none_counts(tmp_path: Path) -> None:
    known = written(tmp_path / "known.yaml", "- {rule: '*', reason: all known}")
    report, _ = analyze(suppress=known)
    assert "Deviations: none that counts. Suppressed" in text.render(report, UTC, 200, False)


def test_what_is_wrong_with_rules_is_said_before_a_packet_is_read(tmp_path: Path) -> None:
    bad = written(tmp_path / "bad.yaml", "override: {premature-failbak: {}}")
    read = Mock()
    with pytest.raises(InputErrors, match="did you mean 'premature-failback'"):
        pipeline.analyze(pipeline.Job(paths=(str(SAMPLE / "capture.pcap"),), rules=(str(bad),)), progress=read)
    assert read.mock_calls == []
