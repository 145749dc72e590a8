"""The rules that ship: each with its cases, its documentation and conditions that compile."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sipaudit.errors import InputErrors
from sipaudit.model.scenario import parse
from sipaudit.rulebook.pack import pack_folder
from sipaudit.rulebook.rules import Rule
from sipaudit.rulebook.trial import judge_scenario
from tests.rulebook.stories import frames, pack_in

PACK = pack_in(pack_folder())
RULES = {rule.id: rule for rule in PACK.rules}  # those of settings have other cases: tests/settings/test_rule_cases.py
CASES = [
    pytest.param(rule, case, id=f"{rule.id}: {case['case']}")
    for rule in RULES.values()
    for case in yaml.safe_load(Path(rule.file).with_suffix(".test.yaml").read_text())
]


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_case_of_a_rule(rule: Rule, case: dict[str, str]) -> None:
    scenario = parse(case["scenario"])
    lines, _ = judge_scenario(scenario, [rule])
    assert lines == list(scenario.expected)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_each_rule_has_a_firing_and_a_silent_case(rule: Rule) -> None:
    cases = yaml.safe_load(Path(rule.file).with_suffix(".test.yaml").read_text())
    fires = [any(rule.id in line for line in parse(case["scenario"]).expected) for case in cases]
    assert True in fires
    assert False in fires


@pytest.mark.parametrize("rule", [*PACK.rules, *PACK.settings], ids=lambda rule: rule.id)
def test_each_rule_is_documented_for_a_tired_engineer(rule: Rule) -> None:
    assert all(len(text) > 60 for text in rule.documentation.values())


def test_a_finding_says_what_was_expected_and_by_which_setting() -> None:
    case = yaml.safe_load(Path(RULES["premature-failback"].file).with_suffix(".test.yaml").read_text())[0]
    _, (finding,) = judge_scenario(parse(case["scenario"]), RULES.values())
    assert "60 s" in finding.expected
    assert "failBack.timeout=60, scenario" in finding.expected
    assert "30 s after the move" in finding.observed
    assert finding.facts["elapsed"] == 30.0
    assert finding.facts["times"] == 1
    assert [frame.frame for frame in frames(finding)] == [3, 4, 5, 8]
    assert finding.wireshark == "frame.number in {3, 4, 5, 8}"


GOOD = Path(RULES["premature-failback"].file).read_text()
FAULTS = {
    "a misspelt key": ("severity: error", "severty: error", "unknown key 'severty' (did you mean 'severity'?)"),
    "a wrong severity": ("severity: error", "severity: fatal",
                         "severity cannot be 'fatal' (valid: info, warning, error)"),
    "an unknown expectation": ("failback-before-due", "failback-befor-due", "did you mean 'failback-before-due'?"),
    "an unknown verdict": ("[early]", "[erly]", "did you mean 'early'?"),
    "a misspelt fact": ('clause == "B2"', 'claus == "B2"', "unknown name 'claus'; did you mean 'clause'?"),
    "no CEL": ('clause == "B2"', 'clause == == "B2"', "CEL expression: at its character 11: extraneous input '=='"),
    "a word as a number": ('clause == "B2"', "elapsed > 3 && method > 3", "it takes a word for a number"),
    "a number as a word": ('clause == "B2"', 'elapsed.startsWith("3")', "a number for a word"),
    "no comparison": ('clause == "B2"', "elapsed", "says neither yes nor no"),
    "a verdict that is never reached": ("[early]", "[late]", "it never comes to the verdict 'late'"),
    "a foreign function": ('clause == "B2"', "exec(clause)", "unknown function 'exec'"),
    "an unknown name in a text": ("{elapsed} after", "{elapsd} after", "no observation has {elapsd}"),
    "another id": ("id: premature-failback", "id: premature", "is not the file's name"),
}


@pytest.mark.parametrize(("old", "new", "said"), FAULTS.values(), ids=FAULTS)
def test_a_faulty_rule_is_refused_with_its_line(old: str, new: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "premature-failback.yaml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InputErrors) as caught:
        pack_in(tmp_path)
    assert any(said in str(error) for error in caught.value.errors)
    assert all(error.file == str(path) and error.line for error in caught.value.errors)


def test_all_faults_of_a_pack_are_said_at_once(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(GOOD.replace("severity: error", "severity: grave"))
    with pytest.raises(InputErrors) as caught:
        pack_in(tmp_path)
    assert {Path(error.file or "").stem for error in caught.value.errors} == {"one", "two"}
