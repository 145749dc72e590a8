"""`rules` and `explain` at the command line, with the real rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.rulebook.stories import PREMATURE, rule_text


def test_list_shows_rules_and_incident_kinds(sipaudit_command: Command) -> None:
    shown = sipaudit_command("rules", "list")
    assert shown.code == 0
    rows = {line.split()[0]: line.split()[1:3] for line in shown.out.splitlines()[1:] if line[:1].strip()}
    assert rows["premature-failback"] == ["failback", "error"]
    assert rows["server-outage"] == ["incidents", "-"]


def test_list_as_json_holds_what_overrides_make_of_them(sipaudit_command: Command, tmp_path: Path) -> None:
    (tmp_path / "over.yaml").write_text("override: {premature-failback: {severity: info}, overload: {responses: 9}}")
    shown = sipaudit_command("rules", "list", "--rules", str(tmp_path / "over.yaml"), "--format", "json")
    rows = {(row["id"], row["group"]): row for row in json.loads(shown.out)}
    assert rows["premature-failback", "failback"]["severity"] == "info"
    assert rows["overload", "incidents"]["thresholds"]["responses"] == 9


def test_list_says_which_severity_is_above_that_of_the_pack(
        sipaudit_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "mine.yaml").write_text(rule_text())
    (tmp_path / "over.yaml").write_text("override: {mine: {severity: error}}")
    monkeypatch.setattr("sipaudit.rulebook.pack.pack_folder", lambda: tmp_path / "pack")
    assert "mine is error by" in sipaudit_command("rules", "list", "--rules", str(tmp_path / "over.yaml")).out


def test_show_of_a_rule_for_settings_takes_no_observations(sipaudit_command: Command, tmp_path: Path) -> None:
    text = "\n".join(line for line in rule_text().splitlines() if not line.startswith(("on:", "  - exp", "    obs")))
    text = text.replace("message:", "message: [{expected: one value, observed: two}]")
    (tmp_path / "mine.yaml").write_text(text)
    shown = sipaudit_command("rules", "show", "mine", "--rules", str(tmp_path / "mine.yaml"))
    assert "mine (rule, settings)" in shown.out
    assert "Takes" not in shown.out
    assert "Rests on B4" in shown.out


def test_show_tells_everything_of_a_rule(sipaudit_command: Command, tmp_path: Path) -> None:
    more = ("severities: [{when: regime == 'R2', severity: error}]\nwhen: kind == 'call'\n"
            "escalate:\n- {severity: warning, count: 2, group_by: line, within: 600}\n"
            "- {severity: warning, count: 3, group_by: entry, within: 600}")
    (tmp_path / "mine.yaml").write_text(rule_text(more=more))
    (tmp_path / "over.yaml").write_text("override: {mine: {tolerance: {timer: 3}}}")
    shown = sipaudit_command("rules", "show", "mine", "--rules", str(tmp_path)).out
    for words in (
        "Severity error when regime == 'R2'.", "Severity info else.", "from the 2nd time on a line within 10 min",
        "from the 3rd line of a server entry within", "Takes failback-before-due: early, forbidden, when kind",
        "Tolerance timer: 3 s.", "expected: not {server}", "What to do",
    ):
        assert words in shown


def test_show_says_how_a_finding_reads_and_when(sipaudit_command: Command) -> None:
    shown = sipaudit_command("rules", "show", "premature-failback").out
    assert 'when clause == "B4"' in shown
    assert "observed: {method} to {server} {elapsed} after the move" in shown
    assert "\nelse\n    expected: No try at {server} before the line's latest registration is due" in shown
    assert "else" not in sipaudit_command("rules", "show", "failover-missing").out.splitlines()


def test_show_of_a_word_that_is_a_rule_and_an_incident_kind_shows_the_kind(sipaudit_command: Command) -> None:
    shown = sipaudit_command("rules", "show", "flapping").out
    assert "flapping (incident kind)" in shown
    assert "each moved 3 times or more within 10 min" in shown
    assert "Thresholds" in shown
    assert "Thresholds" not in sipaudit_command("rules", "show", "stale-dns").out


def test_show_of_an_unknown_id_names_the_nearest(sipaudit_command: Command) -> None:
    result = sipaudit_command("rules", "show", "premature-failbck")
    assert result.code == 2
    assert "did you mean 'premature-failback'?" in result.err
    assert "rules list" in sipaudit_command("rules", "show", "xyzzy").err


def test_check_of_good_rules_is_0(sipaudit_command: Command) -> None:
    result = sipaudit_command("rules", "check", str(PREMATURE))
    assert (result.code, result.out) == (0, f"{PREMATURE}: rule premature-failback, 3 cases as expected\n")


def test_a_rule_without_cases_is_said_to_have_none(sipaudit_command: Command, tmp_path: Path) -> None:
    """There may be cases beside the rule in a file whose name is not read."""
    (tmp_path / "mine.yaml").write_text(rule_text())
    (tmp_path / "mine.tests.yaml").write_text("override: {mine: {severity: error}}")
    assert sipaudit_command("rules", "check", str(tmp_path)).out == (
        f"{tmp_path}/mine.yaml: rule mine, without cases\n{tmp_path}/mine.tests.yaml: overrides of mine\n")


def test_check_of_a_case_that_comes_out_otherwise_is_3(sipaudit_command: Command, tmp_path: Path) -> None:
    cases = PREMATURE.with_suffix(".test.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(PREMATURE.read_text())
    (tmp_path / "mine.test.yaml").write_text(cases.replace("333.500 premature", "333.400 premature"))
    (tmp_path / "over.yaml").write_text("override: {}")
    result = sipaudit_command("rules", "check", str(tmp_path))
    assert result.code == 3
    assert "1 of 3 cases come out otherwise" in result.out
    assert "- 333.400 premature-failback P certain" in result.out
    assert "+ 333.500 premature-failback P certain" in result.out
    assert "overrides of nothing" in result.out


def test_check_of_faulty_rules_is_2_and_names_every_fault(sipaudit_command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(rule_text().replace("severity", "severty"))
    result = sipaudit_command("rules", "check", str(tmp_path / "mine.yaml"))
    assert result.code == 2
    assert result.out == ""
    assert result.err.splitlines()[0].startswith(f"sipaudit: {tmp_path / 'mine.yaml'}:1: the key 'severity' is missing")
    assert "did you mean 'severity'?" in result.err


@pytest.mark.parametrize(("words", "said"), [
    (["F6"], "F6 (requirement)"), (["503", "Service", "Unavailable"], "503 (SIP response)"),
    (["server", "entry"], "server entry (term)"), (["premature-failback"], "premature-failback (rule, error)"),
    (["reg.1.server.1.failOver.failBack.mode"], "failBack.mode (setting)"),
])
def test_explain_says_what_it_is_and_what_to_do(sipaudit_command: Command, words: list[str], said: str) -> None:
    shown = sipaudit_command("explain", *words)
    assert shown.code == 0
    assert said in shown.out


def test_explain_gives_advice_only_where_there_is_some(sipaudit_command: Command) -> None:
    assert "What to do:" in sipaudit_command("explain", "503").out
    silent = sipaudit_command("explain", "100").out
    assert "What to do:" not in silent
    assert "See also: F4." in silent
    assert "See also" not in sipaudit_command("explain", "606").out


def test_explain_alone_lists_what_it_knows(sipaudit_command: Command) -> None:
    shown = sipaudit_command("explain").out
    for heading in ("rule", "incident kind", "setting", "requirement", "SIP response", "term"):
        assert f"\n{heading}\n" in f"\n{shown}"
    assert "reRegisterOn, " in shown
    assert "…" not in shown
    assert "clock_steps, malformed, loss" in " ".join(shown.split())


def test_explain_of_an_id_says_what_to_do_with_it(sipaudit_command: Command) -> None:
    for name in ("f-000001", "i-0001", "f-000001-r7"):
        ran = sipaudit_command("explain", name)
        assert (ran.code, ran.out) == (2, "")
        assert f"{name} is of a report, and only that knows it" in ran.err


def test_no_output_is_wider_than_anybody_can_read(sipaudit_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """COLUMNS may be any number; pytest, whose own output would be that wide, must not see it."""
    with monkeypatch.context() as wide:
        wide.setenv("COLUMNS", "9" * 18)
        ran = sipaudit_command("explain")
    assert 200 < max(map(len, ran.out.splitlines())) <= 1000


def test_explain_of_an_unknown_word_is_2(sipaudit_command: Command) -> None:
    result = sipaudit_command("explain", "failbck")
    assert result.code == 2
    assert result.err == "sipaudit: nothing is known of 'failbck' (did you mean 'failback'?)\n"
