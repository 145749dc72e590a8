"""`rules check`: files as --rules would read them, and the cases beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit.errors import InputErrors
from sipaudit.rulebook.checking import check
from tests.rulebook.stories import PREMATURE, rule_text

CASES = PREMATURE.with_suffix(".test.yaml").read_text()


def mine(folder: Path, cases: str | None = CASES) -> str:
    path = folder / "premature-failback.yaml"
    path.write_text(PREMATURE.read_text())
    if cases is not None:
        path.with_suffix(".test.yaml").write_text(cases)
    return str(path)


def test_the_rules_that_ship_pass() -> None:
    files = check([str(PREMATURE.parent.parent)])
    assert not any(file.failures for file in files)
    assert {file.what for file in files} >= {"rule premature-failback", "incident kind flapping"}
    replayed = [file for file in files if Path(file.file).parent.name != "settings"]  # those have files as cases
    assert all(file.cases for file in replayed if Path(file.file).with_suffix(".test.yaml").exists())


def test_cases_beside_a_rule_are_put_on_trial(tmp_path: Path) -> None:
    path = mine(tmp_path, CASES.replace("333.500 premature-failback", "333.400 premature-failback"))
    (file,) = check([path])
    assert file.cases == 3
    (failure,) = file.failures
    assert failure.case.name == "back after 30 s where 60 were set"
    assert failure.case.where == f"{tmp_path / 'premature-failback.test.yaml'}:1"
    assert (failure.lacking, failure.unexpected) == (
        ("333.400 premature-failback P certain",), ("333.500 premature-failback P certain",))


def test_a_rule_without_cases_and_overrides_have_none(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(rule_text())
    (tmp_path / "over.yaml").write_text("override: {mine: {severity: error}}")
    assert [(file.what, file.cases) for file in check([str(tmp_path)])] == [
        ("rule mine", 0), ("overrides of mine", None)]


def test_a_shell_that_names_the_cases_too_means_the_rule(tmp_path: Path) -> None:
    path = mine(tmp_path)
    assert [file.file for file in check([path, path.replace(".yaml", ".test.yaml")])] == [path]


@pytest.mark.parametrize(("cases", "said"), [
    ("case: no list", ":1: a file of cases holds a list"),
    ("- no mapping", ":1: a case must be a mapping, not a single value"),
    ("- case: no scenario", ":1: the key 'scenario' is missing"),
    ("- case: x\n  scenari: |\n    0 > P INVITE\n", ":2: unknown key 'scenari'"),
    ("- case: x\n  scenario: [0]\n", ":2: scenario must be a text, not a list (write words"),
    ("- case: x\n  scenario: |\n    entry: P\n    0 > Q INVITE\n",
     ":2: the scenario: cannot read '0 > Q INVITE': 'Q' is no server of `entry:`"),
    ("- case: x\n  scenario: |\n    entry: P\n    settings: reRegisterON=1\n    0 > P INVITE\n",
     ":2: the scenario: there is no setting 'reRegisterON' (did you mean 'reRegisterOn'?)"),
    ("- case: x\n  scenario: |\n    entry: P\n    ttl: long\n", ":2: the scenario: invalid literal"),
    ("- case: x\n  scenario: |\n    entry: P=nowhere\n", ":2: the scenario: invalid literal"),
], ids=str)
def test_cases_that_cannot_be_read_are_refused(tmp_path: Path, cases: str, said: str) -> None:
    with pytest.raises(InputErrors) as caught:
        check([mine(tmp_path, cases)])
    assert any(f"premature-failback.test.yaml{said}" in str(error) for error in caught.value.errors)


def test_faults_of_rules_and_of_cases_are_said_together(tmp_path: Path) -> None:
    mine(tmp_path, "- no mapping")
    (tmp_path / "other.yaml").write_text(rule_text("other").replace("severity: info", "severity: grave"))
    with pytest.raises(InputErrors) as caught:
        check([str(tmp_path)])
    assert {Path(error.file or "").name for error in caught.value.errors} == {
        "premature-failback.test.yaml", "other.yaml"}
