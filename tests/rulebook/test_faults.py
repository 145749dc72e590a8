"""One fault makes one finding: what joins it, what arms its rule again, and what puts it in doubt."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from sipaudit.model.events import Lost, ModelEvent
from sipaudit.model.observations import Verdict
from sipaudit.model.scenario import parse
from sipaudit.model.values import Frame, Reason
from sipaudit.rulebook import conditions
from sipaudit.rulebook.conditions import Condition
from sipaudit.rulebook.facts import FACTS
from sipaudit.rulebook.faults import EVIDENCE_KEPT, Faults
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.rules import Rule
from sipaudit.rulebook.trial import judge_scenario
from tests.rulebook.stories import CALLS_TOO_SOON, Who, found, only, rule_text, rules, seen


def judged(text: str) -> list[str]:
    return judge_scenario(parse(text), load_pack().rules)[0]


def test_what_repeats_a_fault_joins_it_until_the_line_registers_anew_elsewhere() -> None:
    story = CALLS_TOO_SOON + "304 > S SUBSCRIBE\n"
    assert judged(story) == ["303.500 signalling-to-unregistered-server S certain"]
    _, (finding,) = judge_scenario(parse(story), load_pack().rules)
    assert finding.facts["times"] == 2
    again = story + """\
305     > S REGISTER
305.1   < S 200 REGISTER expires=3600
400     > S INVITE
403.5   > P INVITE
403.6   > P REGISTER
403.7   < P 403 REGISTER
"""
    assert any(line.startswith("303.500 signalling") for line in judged(again))


def test_a_trial_shows_moves_tries_and_registrations_when_asked() -> None:
    shown = judged("""\
entry: P S
settings: reRegisterOn=1 failRegistrationOn=1 onlySignalWithRegistered=1 failBack.mode=duration failBack.timeout=60
show: moves tries registrations
0       > P REGISTER
0.1     < P 200 REGISTER expires=3600
300     > P INVITE
303.5   > S REGISTER
303.6   < S 200 REGISTER expires=3600
363.5   > P REGISTER
363.6   < P 200 REGISTER expires=3600
""")
    assert "303.600 move P S failover timeout" in shown
    assert any(line.startswith("363.500 try P REGISTER") for line in shown)
    assert any(line.startswith("0.100 registered P until") for line in shown)


def test_a_trial_counts_what_stays_open() -> None:
    lines = judged("entry: P S\n0 > P REGISTER\n0.1 < P 200 REGISTER\n300 > P INVITE\n303.5 > S INVITE\n")
    assert "303.500 ? signalling-to-unregistered-server settings-unknown" in lines


def test_a_trial_counts_repetitions_on_its_entry(tmp_path: Path) -> None:
    twice = "escalate: [{severity: error, count: 2, group_by: line, within: 60}, " \
            "{severity: warning, count: 2, group_by: entry, within: 60}]"
    taken = rules(tmp_path, rule_text(takes="signal-before-registration", more=twice))["mine"]
    _, (first,) = judge_scenario(parse(CALLS_TOO_SOON), [taken])
    _, (second,) = judge_scenario(parse(CALLS_TOO_SOON + "304 > S SUBSCRIBE\n"), [taken])
    assert (first.severity, second.severity) == ("info", "error")


def test_evidence_is_bounded_and_repeats_are_counted(mine: Rule) -> None:
    faults = Faults([mine])
    for time in range(1, 40):
        faults.judge([seen(time)], Who())
    finding = only(faults)
    assert (len(finding.evidence), finding.facts["times"]) == (EVIDENCE_KEPT, 39)


def test_what_is_lost_soon_after_makes_a_finding_likely(mine: Rule) -> None:
    faults = Faults([mine])
    for number, time in enumerate((10, 100)):
        faults.judge([seen(time)], Who(line=f"sip:{number}@example.com"))
    faults.doubt(Lost(120, 0, 1, 0, -1, "a gap"))
    faults.doubt(Lost(120, 0, 1, 7, -1, "of another phone"))
    assert [(one.confidence, one.assumptions) for one in faults.findings()] == [
        ("certain", []), ("likely", ["capture-complete"])]


def test_doubt_goes_by_the_time_of_what_a_finding_tells(tmp_path: Path) -> None:
    graver = "severities: [{when: regime == 'R2', severity: error}]"
    faults = Faults([rules(tmp_path, rule_text(more=graver))["mine"]])
    faults.judge([seen(10)], Who(line="sip:1@example.com"))
    faults.judge([seen(50)], Who(line="sip:2@example.com"))
    faults.judge([seen(100, regime="R2")], Who(line="sip:1@example.com"))
    faults.doubt(Lost(120, 0, 1, 0, -1, "a gap"))
    assert [(one.time, one.confidence) for one in faults.findings()] == [(50, "certain"), (100, "likely")]


def test_an_open_check_is_counted_with_its_reason_and_says_nothing(mine: Rule) -> None:
    faults = Faults([mine])
    undecided = seen(10, verdict=Verdict.INCONCLUSIVE)
    faults.judge([type(undecided)(undecided.expectation, "B4", Verdict.INCONCLUSIVE, undecided.event, "P:5060",
                                  Reason.TTL_UNKNOWN)], Who())
    faults.judge([seen(20, verdict=Verdict.CONFORMED)], Who())
    assert found(faults) == []
    assert faults.checks[Who().line, Who().phone].open == {("mine", Reason.TTL_UNKNOWN): 1}


def test_a_rule_with_a_condition_takes_only_what_it_holds_for(tmp_path: Path) -> None:
    faults = Faults([rules(tmp_path, rule_text(more="when: kind == 'call'"))["mine"]])
    faults.judge([seen(10, kind="subscription")], Who())
    faults.judge([seen(20, kind="call")], Who())
    assert [time for time, *_ in found(faults)] == [20]


def test_a_condition_that_was_used_can_be_kept() -> None:
    """A checkpoint may refer to it; the compiled program in it cannot be pickled."""
    condition = Condition("elapsed > 1")
    assert condition.holds({"elapsed": 2.0})
    assert pickle.loads(pickle.dumps(condition)).holds({"elapsed": 2.0})


@pytest.mark.parametrize("text", ["elapsed > 1", "int(kind) > 1"])
def test_a_condition_that_cannot_be_worked_out_does_not_hold(text: str) -> None:
    condition = Condition(text)
    condition.check(FACTS)
    assert not condition.holds({"elapsed": None, "kind": "word"})


def test_conditions_hold_with_an_engine_that_lies_elsewhere_in_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in another version of the library: then the whole package is imported."""
    whole = {"cel": conditions._engine()}
    monkeypatch.setattr(conditions, "_ENGINE", "cel.elsewhere")
    monkeypatch.setattr(conditions, "import_module", whole.__getitem__)
    assert Condition("kind == 'call'").holds({"elapsed": None, "kind": "call"})


def test_evidence_without_frame_numbers_has_no_display_filter(mine: Rule) -> None:
    class Live(Who):
        def frame(self, event: ModelEvent) -> Frame:
            return Frame("hep", None, event.time, "INVITE")

    faults = Faults([mine])
    faults.judge([seen(10)], Live())
    assert only(faults).wireshark is None
