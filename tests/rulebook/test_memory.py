"""A probe runs for months: what is forgotten, what is evicted, and what a late packet takes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from sipaudit.model.observations import Verdict
from sipaudit.model.replay import replay
from sipaudit.model.scenario import parse
from sipaudit.model.settings import LineSettings
from sipaudit.model.values import Reason
from sipaudit.rulebook.faults import Faults
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.rules import Rule
from tests.rulebook.stories import CALLS_TOO_SOON, Who, found, only, rule_text, rules, seen

FIRST, SECOND = Who(line="sip:1@example.com"), Who(line="sip:2@example.com")
REGISTERS_THEN = "305 > S REGISTER\n305.1 < S 200 REGISTER expires=3600\n"


def whose(*known: Who) -> set[tuple[str, str]]:
    return {(who.line, who.phone) for who in known}


def live(faults: Faults, who: Who, text: str) -> None:
    """Takes the line through this scenario."""
    scenario = parse(text)
    for step in replay(scenario.events, scenario.profile):
        faults.take(step, replace_settings(who, scenario.profile.settings))


def replace_settings(who: Who, settings: LineSettings) -> Who:
    return Who(who.line, who.phone, who.entry, settings)


# -- faults that are over --------------------------------------------------------------------------------------------

def test_a_fault_is_forgotten_when_it_is_over_and_told_and_not_while_something_may_join_it() -> None:
    """The first line has since registered at S, so its next breach is a fault of its own; the second has not."""
    faults = Faults(load_pack().rules)
    live(faults, FIRST, CALLS_TOO_SOON + REGISTERS_THEN)
    live(faults, SECOND, CALLS_TOO_SOON)
    faults.forget(303.0, whose(FIRST, SECOND))
    assert len(faults.findings()) == 2  # not over for long enough
    faults.forget(1000.0, whose(FIRST, SECOND))
    (kept,) = faults.findings()
    assert kept.line == SECOND.line
    faults.judge([seen(1001, "signal-before-registration", Verdict.FORBIDDEN)], SECOND)
    assert only(faults).facts["times"] == 2


def test_what_a_forgotten_fault_led_to_stands_without_a_cause(tmp_path: Path) -> None:
    follows = rule_text("then", takes="silence-to-failed", more="consequence_of: [mine]")
    taken = rules(tmp_path, rule_text(), follows)
    faults = Faults([taken["mine"], taken["then"]])
    faults.judge([seen(10)], Who())
    faults.judge([seen(20, "silence-to-failed", Verdict.FORBIDDEN)], Who())
    cause, consequence = faults.findings()
    assert consequence.cause == cause.id
    del faults.open[Who().line, Who().phone]["mine"]
    faults.forget(15.0, whose(Who()))
    assert [(one.rule, one.cause) for one in faults.findings()] == [("then", None)]
    assert [fault.cause for fault in faults.done] == [None]


def test_of_a_line_that_is_known_no_more_only_the_sum_of_its_checks_is_kept(mine: Rule) -> None:
    faults = Faults([mine])
    for who in (FIRST, SECOND):
        faults.judge([seen(10)], who)
        faults.judge([replace(seen(20, verdict=Verdict.INCONCLUSIVE), reason=Reason.TTL_UNKNOWN)], who)
    faults.forget(5.0, whose(SECOND))
    assert list(faults.checks) == [(SECOND.line, SECOND.phone)]
    assert faults.checks.totals().reached == {"mine": 4}
    assert faults.checks.totals().open == {("mine", Reason.TTL_UNKNOWN): 2}
    faults.judge([seen(30)], FIRST)  # it comes back as a new line
    faults.judge([seen(30)], SECOND)
    assert [(one.line, one.facts["times"]) for one in faults.findings()] == [
        (FIRST.line, 1), (SECOND.line, 2), (FIRST.line, 1)]


def test_of_a_line_that_was_checked_long_ago_only_what_is_open_is_told_by_line(mine: Rule) -> None:
    faults = Faults([mine])
    for who in (FIRST, SECOND):
        faults.judge([seen(10, verdict=Verdict.CONFORMED)], who)
    faults.judge([replace(seen(20, verdict=Verdict.INCONCLUSIVE), reason=Reason.TTL_UNKNOWN)], SECOND)
    faults.forget(15.0, whose(FIRST, SECOND))
    assert list(faults.checks) == [(SECOND.line, SECOND.phone)]
    faults.forget(25.0, whose(FIRST, SECOND))
    assert faults.checks[SECOND.line, SECOND.phone].open == {("mine", Reason.TTL_UNKNOWN): 1}
    assert not faults.checks[SECOND.line, SECOND.phone].reached
    assert faults.checks.totals().reached == {"mine": 3}


def test_where_all_begins_anew_nothing_joins_what_was(mine: Rule) -> None:
    faults = Faults([mine])
    faults.judge([seen(10)], FIRST)
    faults.begin_anew()
    faults.judge([seen(20)], FIRST)
    assert [time for time, *_ in found(faults)] == [10, 20]


def test_a_phone_that_is_released_is_put_in_doubt_no_more(mine: Rule) -> None:
    """Its number may then belong to another phone."""
    faults = Faults([mine])
    faults.judge([seen(10)], FIRST)
    assert 0 in faults.of_phone
    faults.release([(FIRST.line, FIRST.phone)], [0])
    assert 0 not in faults.of_phone
    assert [one.confidence for one in faults.findings()] == ["certain"]


# -- limits ----------------------------------------------------------------------------------------------------------

def test_too_many_faults_push_out_the_older_half_those_first_that_are_over(mine: Rule) -> None:
    faults = Faults([mine])
    lines = [Who(line=f"sip:{number}@example.com") for number in range(6)]
    for number, who in enumerate(lines):
        faults.judge([seen(10.0 + number)], who)
    del faults.open[lines[4].line, lines[4].phone]   # it has moved since: nothing joins that fault now
    faults.tighten(5)
    assert faults.evicted == 4
    assert [one.line for one in faults.findings()] == [lines[3].line, lines[5].line]
    assert [fault.number for fault in faults.since(4)] == [5]
    assert set(faults.open) == whose(lines[3], lines[5])
    faults.judge([seen(30)], lines[0])               # evicted, so it is reported anew
    assert [one.time for one in faults.findings()] == [13, 15, 30]


def test_a_bound_holds_for_what_comes_after_it(mine: Rule) -> None:
    faults = Faults([mine])
    faults.tighten(3)
    for number in range(20):
        faults.judge([seen(10.0 + number)], Who(line=f"sip:{number}@example.com"))
    assert len(faults.done) <= 3
    assert faults.evicted + len(faults.done) == faults.made == 20
    assert found(faults)[-1][0] == 29


def test_checks_of_too_many_lines_are_summed_up(mine: Rule) -> None:
    faults = Faults([mine])
    for number in range(6):
        faults.judge([seen(10.0 + number, verdict=Verdict.CONFORMED)], Who(line=f"sip:{number}@example.com"))
    faults.tighten(2)
    assert len(faults.checks) == 2
    faults.judge([seen(30, verdict=Verdict.CONFORMED)], Who(line="sip:new@example.com"))
    assert len(faults.checks) == 2
    assert faults.checks.totals().reached == {"mine": 7}


# -- late packets ----------------------------------------------------------------------------------------------------

def test_what_was_said_for_want_of_a_packet_is_taken_back_when_it_comes(tmp_path: Path) -> None:
    graver = "severities: [{when: regime == 'R2', severity: error}]"
    taken = rules(tmp_path, rule_text(more=graver), rule_text("beside", "silence-to-failed"))
    faults = Faults([taken["mine"], taken["beside"]])
    faults.judge([seen(10)], FIRST)
    faults.judge([seen(10)], SECOND)
    before, checked = found(faults), dict(faults.checks[FIRST.line, FIRST.phone].reached)
    held = faults.held(FIRST, 0, 15.0)
    faults.judge([seen(20, regime="R2")], FIRST)                                  # joins, and makes it an error
    faults.judge([seen(21, "silence-to-failed", Verdict.FORBIDDEN)], FIRST)       # a fault of its own
    faults.judge([seen(22)], SECOND)                                              # of another line
    assert [(time, severity) for time, _, severity, _ in found(faults)] == [(10, "info"), (20, "error"), (21, "info")]
    faults.take_back(FIRST, 0, held)
    assert found(faults) == before
    assert dict(faults.checks[FIRST.line, FIRST.phone].reached) == checked
    assert {one.line: one.facts["times"] for one in faults.findings()} == {FIRST.line: 1, SECOND.line: 2}
    faults.judge([seen(40, "silence-to-failed", Verdict.FORBIDDEN)], FIRST)       # later ones are reported
    assert (40, "beside", "info", []) in found(faults)
    faults.judge([seen(41)], FIRST)                                               # the open fault is still open
    assert [one.facts["times"] for one in faults.findings() if one.line == FIRST.line] == [2, 1]


def test_a_line_of_which_nothing_was_held_has_nothing_left_when_it_is_taken_back(mine: Rule) -> None:
    faults = Faults([mine])
    held = faults.held(FIRST, 0, 15.0)
    faults.judge([seen(20)], FIRST)
    faults.take_back(FIRST, 0, held)
    assert found(faults) == []
    faults.judge([seen(30)], FIRST)
    assert [time for time, *_ in found(faults)] == [30]


def test_what_was_taken_back_is_the_cause_of_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    taken = rules(tmp_path, rule_text(), rule_text("then", takes="silence-to-failed", more="consequence_of: [mine]"))
    faults = Faults([taken["mine"], taken["then"]])
    held = faults.held(FIRST, 0, 15.0)
    faults.judge([seen(20)], FIRST)
    faults.take_back(FIRST, 0, held)
    faults.judge([seen(30, "silence-to-failed", Verdict.FORBIDDEN)], FIRST)
    assert [(fault.rule.id, fault.cause) for fault in faults.done] == [("mine", None), ("then", None)]
    faults.forget(25.0, whose(FIRST))
    assert [fault.told.time for fault in faults.done] == [30]
    assert faults.undecided == set()


# -- repetitions -----------------------------------------------------------------------------------------------------

TWICE = "escalate: [{severity: error, count: 2, group_by: line, within: 60}, " \
        "{severity: warning, count: 2, group_by: entry, within: 60}]"


@pytest.fixture
def worse_when_repeated(tmp_path: Path) -> Faults:
    return Faults([rules(tmp_path, rule_text(more=TWICE))["mine"]])


def test_a_breach_counts_for_as_long_as_the_rule_says_whatever_is_forgotten(worse_when_repeated: Faults) -> None:
    faults = worse_when_repeated
    faults.judge([seen(10)], FIRST)
    faults.forget(69.0, whose(FIRST))
    faults.judge([seen(69.5)], FIRST)
    assert only(faults).severity == "error"


def test_a_breach_that_no_longer_counts_is_forgotten(worse_when_repeated: Faults) -> None:
    faults = worse_when_repeated
    faults.judge([seen(10)], FIRST)
    faults.forget(71.0, whose(FIRST))
    faults.judge([seen(69.5)], FIRST)  # a late packet
    assert only(faults).severity == "info"


def test_a_series_is_kept_while_the_last_of_it_counts(tmp_path: Path) -> None:
    thrice = "escalate: [{severity: error, count: 3, group_by: line, within: 60}]"
    faults = Faults([rules(tmp_path, rule_text(more=thrice))["mine"]])
    for time in (10, 50):
        faults.judge([seen(time)], FIRST)
    faults.forget(75.0, whose(FIRST))
    for time in (80, 100):
        faults.judge([seen(time)], FIRST)
    assert only(faults).severity == "error"


def test_a_line_that_is_forgotten_takes_its_own_series_along_and_not_its_entry_s(worse_when_repeated: Faults) -> None:
    faults = worse_when_repeated
    faults.judge([seen(10)], FIRST)
    faults.release([(FIRST.line, FIRST.phone)], [0])
    faults.judge([seen(20)], FIRST)
    assert [one.severity for one in faults.findings()] == ["info", "info"]
    faults.judge([seen(30)], SECOND)  # the entry's second line within a minute
    assert [one.severity for one in faults.findings()] == ["info", "info", "warning"]
