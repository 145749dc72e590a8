"""The severity of a finding, by its facts and by repetition; and which observations join a fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit.rulebook.faults import Faults
from tests.rulebook.stories import Who, found, frames, only, rule_text, rules, seen

BY_REGIME = """\
severities:
  - {when: regime == "R2", severity: error}
  - {when: regime == "R3", severity: warning}"""
BY_REPETITION = """\
escalate:
  - {severity: warning, count: 2, group_by: line, within: 600}
  - {severity: warning, count: 3, group_by: entry, within: 600}"""


def mine(tmp_path: Path, more: str) -> Faults:
    return Faults([rules(tmp_path, rule_text(more=more))["mine"]])


@pytest.mark.parametrize(("regime", "severity"), [("R2", "error"), ("R3", "warning"), ("R0", "info"), (None, "info")])
def test_severity_follows_the_first_condition_that_holds(tmp_path: Path, regime: str | None, severity: str) -> None:
    faults = mine(tmp_path, BY_REGIME)
    faults.judge([seen(10, regime=regime)], Who())
    assert only(faults).severity == severity


def test_an_error_that_joins_an_info_is_what_the_finding_tells(tmp_path: Path) -> None:
    faults = mine(tmp_path, BY_REGIME)
    faults.judge([seen(10)], Who())
    faults.judge([seen(20, regime="R2")], Who())
    faults.judge([seen(30)], Who())
    finding = only(faults)
    assert (finding.time, finding.severity, finding.facts["times"]) == (20, "error", 3)
    assert [frame.time for frame in frames(finding)] == [10, 20, 30]


def rearmed(faults: Faults) -> None:
    """Closes all faults, as a move of every line does."""
    faults.open.clear()


def test_the_second_time_on_a_line_within_ten_minutes_is_worse(tmp_path: Path) -> None:
    faults = mine(tmp_path, BY_REPETITION)
    for time in (0, 600, 1201):
        faults.judge([seen(time)], Who())
        rearmed(faults)
    assert [severity for _, _, severity, _ in found(faults)] == ["info", "warning", "info"]


def test_a_repetition_that_joins_an_open_fault_makes_it_worse(tmp_path: Path) -> None:
    faults = mine(tmp_path, BY_REPETITION)
    faults.judge([seen(10)], Who())
    faults.judge([seen(20)], Who())
    finding = only(faults)
    assert (finding.time, finding.severity, finding.facts["times"]) == (10, "warning", 2)


def test_the_third_line_of_an_entry_is_worse(tmp_path: Path) -> None:
    faults = mine(tmp_path, BY_REPETITION)
    for number in (1, 2, 3):
        faults.judge([seen(number * 100)], Who(line=f"sip:{number}@example.com"))
    faults.judge([seen(350)], Who(line="sip:4@example.com", entry="branch"))
    assert [severity for _, _, severity, _ in found(faults)] == ["info", "info", "warning", "info"]


def test_lines_of_an_entry_are_counted_each_once_and_not_for_ever(tmp_path: Path) -> None:
    faults = mine(tmp_path, "escalate: [{severity: warning, count: 3, group_by: entry, within: 600}]")
    for time, number in ((0, 1), (10, 1), (20, 2), (30, 1), (630, 3), (1300, 4)):
        faults.judge([seen(time)], Who(line=f"sip:{number}@example.com"))
        rearmed(faults)
    assert {severity for _, _, severity, _ in found(faults)} == {"info"}
    faults.judge([seen(1301)], Who(line="sip:5@example.com"))
    faults.judge([seen(1302)], Who(line="sip:6@example.com"))
    assert [severity for _, _, severity, _ in found(faults)][-2:] == ["info", "warning"]


def test_lines_of_an_unknown_entry_are_not_counted_together(tmp_path: Path) -> None:
    faults = mine(tmp_path, BY_REPETITION)
    for number in (1, 2, 3):
        faults.judge([seen(number)], Who(line=f"sip:{number}@example.com", entry=None))
    assert {severity for _, _, severity, _ in found(faults)} == {"info"}


def test_of_the_rules_of_one_request_the_first_is_the_finding(tmp_path: Path) -> None:
    pack = rules(
        tmp_path, rule_text("premature-failback"), rule_text("failback-without-registration"), rule_text("mine"),
    )
    faults = Faults(pack[name] for name in ("premature-failback", "mine", "failback-without-registration"))
    faults.judge([seen(10)], Who())
    assert found(faults) == [
        (10, "failback-without-registration", "info", ["premature-failback"]), (10, "mine", "info", []),
    ]


def test_a_rule_may_take_several_expectations_and_is_broken_once_by_one_request(tmp_path: Path) -> None:
    faults = Faults([rules(tmp_path, rule_text(takes="[failback-before-due, signal-before-registration]"))["mine"]])
    faults.judge([seen(10), seen(10, "signal-before-registration")], Who())
    assert (only(faults).also, only(faults).facts["times"]) == ([], 1)
    faults.judge([seen(20, "signal-before-registration")], Who())
    assert only(faults).facts["times"] == 2
    assert faults.checks[Who().line, Who().phone].reached["mine"] == 3


def test_servers_are_shown_by_their_names(tmp_path: Path) -> None:
    faults = mine(tmp_path, "")
    faults.judge([seen(10, working="S:5060", skipped="T:5060 U:5060")], Who())
    finding = only(faults)
    assert finding.observed == "INVITE to P/udp, S/udp works, T/udp, U/udp passed over"
    assert (finding.facts["working"], finding.facts["skipped"]) == ("S/udp", "T/udp, U/udp")
