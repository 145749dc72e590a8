"""--rules: which rules override which, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sipaudit.errors import InputError, InputErrors
from sipaudit.model.settings import Tolerances
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.rules import Group, Rule, RulePack
from tests.rulebook.stories import PREMATURE, pack_in, rule_text

SITE = Tolerances(timer=5.0)


def file(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


def errors(*named: Path) -> list[str]:
    with pytest.raises(InputErrors) as caught:
        load_pack(named)
    return [str(error) for error in caught.value.errors]


def rule(pack: RulePack, name: str) -> Rule:
    return next(rule for rule in pack.rules if rule.id == name)


def test_an_override_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    over = file(tmp_path, """\
override:
  premature-failback: {severity: warning, tolerance: {timer: 3.0}}
  server-outage: {phones: 5, share: 0.25}
""")
    pack, shipped = load_pack([over]), load_pack()
    changed = rule(pack, "premature-failback")
    assert (changed.severity, changed.title) == ("warning", rule(shipped, "premature-failback").title)
    assert rule(pack, "signalling-to-unregistered-server") == rule(shipped, "signalling-to-unregistered-server")
    outage = next(kind for kind in pack.incidents if kind.id == "server-outage")
    assert outage.thresholds == {"phones": 5, "share": 0.25, "within": 60, "quiet": 10}
    assert pack.notes == (  # a severity below the pack's needs no note
        "Thresholds changed by --rules: server-outage.", "Tolerances changed by --rules: premature-failback.")


def test_tolerances_of_a_rule_beat_the_site_s_and_leave_those_of_others(tmp_path: Path) -> None:
    pack = load_pack([file(tmp_path, "override: {premature-failback: {tolerance: {timer: 3.0}}}")])
    assert pack.tolerances_of(SITE) == {"failback-before-due": Tolerances(timer=3.0)}
    assert load_pack().tolerances_of(SITE) == {}


def test_tolerances_of_several_overrides_add_up(tmp_path: Path) -> None:
    first = file(tmp_path, "override: {premature-failback: {tolerance: {timer: 3.0, overdue: 7}}}", "first.yaml")
    second = file(tmp_path, "override: {premature-failback: {tolerance: {timer: 4.0}}}", "second.yaml")
    assert rule(load_pack([first, second]), "premature-failback").tolerance == {"timer": 4.0, "overdue": 7.0}


def test_a_severity_that_is_stated_holds_whatever_the_facts_and_the_repetitions(tmp_path: Path) -> None:
    file(tmp_path, rule_text(more="severities: [{when: regime == 'R2', severity: error}]\n"
                                  "escalate: [{severity: error, count: 2, group_by: line, within: 9}]"))
    file(tmp_path, "override: {mine: {severity: warning}}", "over.yaml")
    assert rule(load_pack([tmp_path]), "mine").levels == ("warning",)


def test_of_two_rules_for_one_expectation_the_more_tolerant_counts(tmp_path: Path) -> None:
    file(tmp_path, rule_text())
    file(tmp_path, "override: {premature-failback: {tolerance: {timer: 3.0}}, mine: {tolerance: {timer: 9.0}}}",
         "over.yaml")
    assert load_pack([tmp_path]).tolerances_of(SITE)["failback-before-due"].timer == 9.0


def test_later_rules_lie_over_earlier_ones(tmp_path: Path) -> None:
    first = file(tmp_path, "override: {premature-failback: {severity: info, enabled: false}}", "first.yaml")
    second = file(tmp_path, "override: {premature-failback: {severity: warning, enabled: true}}", "second.yaml")
    assert rule(load_pack([first, second]), "premature-failback").severity == "warning"
    assert "premature-failback" not in [rule.id for rule in load_pack([second, first]).rules]
    assert "premature-failback" in load_pack([second, first]).known
    with pytest.raises(InputError, match="is switched off by --rules"):
        load_pack([second, first]).find("premature-failback")


def test_a_rule_that_is_replaced_is_in_force_again(tmp_path: Path) -> None:
    off = file(tmp_path, "override: {premature-failback: {enabled: false}}", "off.yaml")
    new = file(tmp_path, PREMATURE.read_text(), "anything.yaml")
    replaced = rule(load_pack([off, new]), "premature-failback")
    assert (replaced.group, replaced.file) == (Group.FAILBACK, str(new))


def test_in_a_folder_rules_are_read_before_the_overrides_that_name_them(tmp_path: Path) -> None:
    file(tmp_path, "override: {mine: {severity: error}}", "a-first-by-name.yaml")
    file(tmp_path, rule_text())
    file(tmp_path, "- case: not a rule", "mine.test.yaml")
    assert rule(load_pack([tmp_path]), "mine").severity == "error"


def test_an_incident_kind_that_is_disabled_is_gone(tmp_path: Path) -> None:
    pack = load_pack([file(tmp_path, "override: {flapping: {enabled: false}}")])
    assert "flapping" not in [kind.id for kind in pack.incidents]


def test_the_group_is_that_of_the_folder_else_told_by_the_keys(tmp_path: Path) -> None:
    in_folder = file(tmp_path / "failback", rule_text("one"))
    settings = file(tmp_path, "\n".join(line for line in rule_text("two").splitlines()
                                       if not line.startswith("on:")).replace("{method} to {server}, {working} works, "
                                                                              "{skipped} passed over", "{attribute}")
                    .replace("not {server}", "not {value}"), "two.yaml")
    elsewhere = file(tmp_path, rule_text("three"), "three.yaml")
    pack = load_pack([in_folder, settings, elsewhere])
    assert rule(pack, "one").group is Group.FAILBACK
    assert rule(pack, "three").group is Group.FAILOVER
    assert "two" in [rule.id for rule in pack.settings]


@pytest.mark.parametrize("text", [
    "override: {premature-failback: {severity: error}}",
    rule_text("premature-failback", more="severities: [{when: regime == 'R2', severity: error}]"),
    rule_text("mine").replace("severity: info", "severity: error"),
], ids=["the same", "sometimes the same", "a rule of one's own"])
def test_a_severity_that_is_not_raised_is_not_noted(tmp_path: Path, text: str) -> None:
    assert load_pack([file(tmp_path, text)]).notes == ()


def test_a_severity_above_the_pack_s_is_noted_with_its_place(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    file(pack, rule_text("mine", more="severities: [{when: regime == 'R2', severity: warning}]"))
    over = file(tmp_path, "\noverride:\n  mine: {severity: error}\n", "over.yaml")
    (note,) = pack_in(pack, over).notes
    assert note == f"mine is error by {over}:3; in the rules that ship it is warning or info."


def test_what_is_switched_off_is_noted(tmp_path: Path) -> None:
    """Otherwise the report would look as if it had been looked for and not found."""
    over = file(tmp_path, "override:\n  server-outage: {enabled: false}\n  flapping: {enabled: false}\n", "over.yaml")
    assert load_pack([over]).notes == ("Switched off by --rules: flapping, server-outage.",)


def test_other_limits_than_those_that_ship_are_noted(tmp_path: Path) -> None:
    """With a higher threshold, a smaller outage is none. Unchanged limits, and limits of what is off, are not noted."""
    over = file(tmp_path, "override:\n  server-outage: {phones: 40}\n  register-storm: {enabled: false, factor: 9}\n"
                          "  premature-failback: {tolerance: {timer: 9}}\n  flapping: {severity: info}\n", "over.yaml")
    assert load_pack([over]).notes == (
        "Switched off by --rules: register-storm.", "Thresholds changed by --rules: server-outage.",
        "Tolerances changed by --rules: premature-failback.")


def test_a_severity_that_is_raised_for_some_facts_only_is_noted(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    file(pack, rule_text("mine", more="severities: [{when: regime == 'R2', severity: error}]"))
    (note,) = pack_in(pack, file(tmp_path, "override: {mine: {severity: error}}", "over.yaml")).notes
    assert note.endswith("in the rules that ship it is error or info.")


def test_a_severity_that_a_replacement_raises_is_noted(tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    file(pack, rule_text("mine"))
    new = file(tmp_path, rule_text("mine", more="escalate: [{severity: error, count: 2, group_by: line, within: 9}]"),
               "new.yaml")
    (note,) = pack_in(pack, new).notes
    assert "mine is error or info by" in note


OUTAGE = PREMATURE.parent.parent / "incidents" / "server-outage.yaml"
FAULTS = {
    "an unknown id": ("override: {premature-failbck: {}}", ":1: there is no rule or incident kind"),
    "an unknown key": ("override: {premature-failback: {sevrity: info}}", "did you mean 'severity'?"),
    "a threshold of another kind": ("override: {server-outage: {moves: 3}}", "unknown key 'moves'"),
    "a severity for an incident": ("override: {server-outage: {severity: info}}", "unknown key 'severity'"),
    "a share above 1": ("override: {server-outage: {share: 10}}", "write a number from 0 to 1"),
    "half a phone": ("override: {server-outage: {phones: 2.5}}", "write a whole number from 1"),
    "a negative time": ("override: {server-outage: {within: -5}}", "within cannot be '-5'"),
    "a tolerance that is none": ("override: {premature-failback: {tolerance: 3}}",
                                 "override.premature-failback.tolerance must be a mapping, not a"),
    "a tolerance without end": ("override: {premature-failback: {tolerance: {timer: 99999}}}", "from 0 to 3600"),
    "enabled by a word": ("override: {premature-failback: {enabled: maybe}}", "write true or false"),
    "an override and a rule": ("id: mine\noverride: {}", "unknown key 'id'"),
    "an id that is no word": (rule_text(r'"mine\e[2J"'), "no word (write small letters, digits and dashes"),
    "an empty override": ("override: []", "override must be a mapping, not a list (write it as {"),
    "neither": ("title: mine", "neither `id` nor `override`"),
    "no mapping": ("- id: mine", "a rule file holds a mapping"),
    "no YAML": ("id: [", "not valid YAML"),
    "a count of one": (rule_text(more="escalate: [{severity: error, count: 1, group_by: line, within: 9}]"),
                       "write a whole number from 2"),
    "a foreign series": (rule_text(more="escalate: [{severity: error, count: 2, group_by: phone, within: 9}]"),
                         "escalate[0].group_by cannot be 'phone' (valid: line, entry)"),
    "escalation as a mapping": (rule_text(more="escalate: {severity: error}"), "escalate must be a list, not"),
    "escalation as words": (rule_text(more="escalate: [error]"), "escalate[0] must be a mapping, not a single value"),
    "no escalation": (rule_text(more="escalate: []"), "escalate is an empty list (write it as [{severity: warning"),
    "a condition without severity": (rule_text(more="severities: [{when: regime == 'R2'}]"),
                                     "the key 'severities[0].severity' is missing"),
    "a severity without condition": (rule_text(more="severities: [{severity: error}]"),
                                     "the key 'severities[0].when' is missing"),
    "an empty condition": (rule_text(more="when: ''"), "when must be a text, not nothing"),
    "an unknown key within": (rule_text(more="severities: [{if: x}]"), "severities[0]: unknown key 'if' (valid: when,"),
    "an unknown fact": (rule_text(more="severities: [{when: regim == 'R2', severity: error}]"), "mean 'regime'?"),
    "no such requirement": (rule_text().replace("[B4]", "[B4, F66, ticket 7]"), "there is no requirement 'F66'"),
    "no such cause": (rule_text(more="consequence_of: [premature-failbak]"),
                      "consequence_of: there is no rule 'premature-failbak'"),
    "no expectation": (rule_text(takes="[]"), "on.expectation is an empty list"),
    "a title that is a list": (rule_text().replace("title: The", "title: [The]  # "),
                              "title must be a text, not a list (write words, between quotes"),
    "a last wording that may not hold": (
        rule_text().replace("  - expected", "  - when: clause == 'B4'\n    expected"), "last wording has a condition"),
    "on without verdict": (rule_text().replace(", verdict: [early, forbidden]", ""), "the key 'on.verdict' is missing"),
    "a new incident kind": (OUTAGE.read_text().replace("id: server-outage", "id: server-outag"),
                            "did you mean 'server-outage'?"),
    "other thresholds": (OUTAGE.read_text().replace(", quiet: 10", "").replace("{quiet}", "a time"),
                         "give phones, share, within, quiet"),
    "an unknown threshold": (OUTAGE.read_text().replace(", quiet: 10", ", quit: 10"), "did you mean 'quiet'?"),
    "a threshold that is not said": (OUTAGE.read_text().replace("{quiet}", "a time"), "does not say {quiet}"),
    "a threshold that does not exist": (OUTAGE.read_text().replace("{quiet}", "{quiet}, {peace}"),
                                        "there is no threshold {peace}"),
}


@pytest.mark.parametrize(("text", "said"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    path = file(tmp_path, text)
    every = errors(path)
    assert any(said in error for error in every), every
    assert all(error.startswith(f"{path}:") for error in every)


def test_all_faults_of_all_files_are_said_at_once(tmp_path: Path) -> None:
    said = errors(
        file(tmp_path, "override: {premature-failback: {severity: grave}, nothing-like-it: {}}", "one.yaml"),
        file(tmp_path, rule_text().replace("severity: info", "severity: fatal"), "two.yaml"), tmp_path / "three.yaml",
    )
    assert [Path(error.split(":")[0]).stem for error in said] == ["one", "one", "two", "three"]


def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    assert "no rule files here" in errors(tmp_path)[0]


def test_a_folder_without_rules_is_refused(tmp_path: Path) -> None:
    assert "no rule files here" in errors(tmp_path)[0]
    with pytest.raises(InputError, match="its rules are missing"):
        pack_in(tmp_path)


def test_an_id_stands_in_a_pack_once_and_names_its_file(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        file(tmp_path / folder, rule_text("mine"))
        file(tmp_path / folder, OUTAGE.read_text(), "server-outage.yaml")
    with pytest.raises(InputErrors) as caught:
        pack_in(tmp_path)
    assert len(caught.value.errors) == 2
    assert all("stands in" in error.message for error in caught.value.errors)
