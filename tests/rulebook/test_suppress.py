"""--suppress: findings that someone has looked at are still shown, but not counted."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest
from msgspec.structs import replace

from sipaudit.errors import InputError, InputErrors
from sipaudit.model.values import Confidence, Finding, Severity
from sipaudit.rulebook.suppress import Suppressions, load_suppressions

NOON = 1_700_049_600.0  # 2023-11-15T12:00:00Z
RULES = frozenset({"premature-failback", "overdue-failback", "config-no-effect"})
FINDING = Finding(
    "f-000001", "premature-failback", Severity.ERROR, Confidence.CERTAIN, "sip:1001@pbx.example.com", "10.1.0.5:5060",
    "10.0.0.1:5060/udp", NOON, "", "", ["B4"], {}, [], [], None, None, None, None, [],
)
OF_SETTINGS = replace(FINDING, rule="config-no-effect", phone=None, server=None, time=None)


def load(folder: Path, text: str) -> Suppressions:
    (folder / "known.yaml").write_text(text)
    return load_suppressions(folder / "known.yaml", UTC, RULES)


def reasons(folder: Path, item: str, finding: Finding = FINDING) -> str | None:
    (marked,), _ = load(folder, f"- {{{item}, reason: ticket 4711}}").mark([finding], NOON - 60)
    return marked.suppressed


@pytest.mark.parametrize("item", [
    "rule: premature-failback",
    "rule: '*-failback'",
    "rule: '*', line: 'sip:10??@pbx.example.com'",
    "rule: '*', line: 'SIP:1001@PBX.example.com'",
    "rule: '*', phone: 10.1.0.5",
    "rule: '*', phone: 10.1.0.0/16",
    "rule: '*', server: 10.0.0.1",
    "rule: '*', server: '10.0.0.1:5060'",
    "rule: '*', server: '10.0.0.*/udp'",
    "rule: '*', from: 2023-11-15T12:00:00, to: 2023-11-15T12:00:00Z",
    "rule: '*', from: +60s, to: '12:00'",
    "rule: '*', expires: 2023-11-15",
    "rule: '*', expires: '2023-11-15T12:00:01'",
])
def test_a_finding_that_is_meant_is_marked_with_the_reason(tmp_path: Path, item: str) -> None:
    assert reasons(tmp_path, item) == "ticket 4711"


@pytest.mark.parametrize("item", [
    "rule: overdue-failback",
    "rule: '*', line: 'sip:2*'",
    "rule: '*', phone: 10.2.0.0/16",
    "rule: '*', phone: '2001:db8::/32'",
    "rule: '*', server: 10.0.0.2",
    "rule: '*', from: '2023-11-15T12:00:01'",
    "rule: '*', to: +59s",
    "rule: '*', expires: 2023-11-14",
    "rule: '*', expires: '2023-11-15T12:00:00'",
    "rule: '*', line: 'sip:10??@pbx.example.com', phone: 10.2.0.1",
])
def test_a_finding_that_is_not_meant_is_left_as_it_is(tmp_path: Path, item: str) -> None:
    assert reasons(tmp_path, item) is None


def test_a_finding_of_the_settings_has_no_phone_no_server_and_no_time(tmp_path: Path) -> None:
    assert reasons(tmp_path, "rule: config-*, expires: 2000-01-01", OF_SETTINGS) == "ticket 4711"
    for item in ("phone: 10.0.0.0/8", "server: '*'", "from: 2000-01-01", "to: 2030-01-01"):
        assert reasons(tmp_path, f"rule: config-*, {item}", OF_SETTINGS) is None


def test_an_ipv6_phone_is_found(tmp_path: Path) -> None:
    phone = replace(FINDING, phone="[2001:db8::5]:5060", server="[2001:db8::1]:5060/udp")
    assert reasons(tmp_path, "rule: '*', phone: '2001:db8::/32', server: '2001:db8::1'", phone) == "ticket 4711"


def test_a_server_or_line_of_ipv6_is_found_as_a_report_writes_it(tmp_path: Path) -> None:
    """In a glob, brackets are a set of characters."""
    finding = replace(FINDING, server="[2001:db8::1]:5060/udp", line="sip:1001@[2001:db8::9]")
    assert reasons(tmp_path, "rule: '*', server: '[2001:db8::1]:5060/udp'", finding)
    assert reasons(tmp_path, "rule: '*', server: '2001:db8::1'", finding)
    assert reasons(tmp_path, "rule: '*', line: 'sip:1001@[2001:db8::9]'", finding)
    assert reasons(tmp_path, "rule: '*', line: 'sip:1001@[2001:db8::8]'", finding) is None


def test_the_first_item_that_means_a_finding_gives_the_reason(tmp_path: Path) -> None:
    items = load(tmp_path, "- {rule: premature-failback, expires: 2020-01-01, reason: long ago}\n"
                           "- {rule: '*', reason: known}\n- {rule: premature-failback, reason: also known}\n")
    (marked,), idle = items.mark([FINDING], NOON)
    assert marked.suppressed == "known"
    assert idle == [f"{tmp_path / 'known.yaml'}:1: this item suppresses nothing: it has expired"]


def test_each_finding_is_looked_at_by_itself(tmp_path: Path) -> None:
    items = load(tmp_path, "- {rule: premature-failback, server: 10.0.0.1, reason: known}")
    marked, idle = items.mark([FINDING, replace(FINDING, server="10.0.0.2:5060/udp"), FINDING, OF_SETTINGS], NOON)
    assert [one.suppressed for one in marked] == ["known", None, "known", None]
    assert idle == []


def test_an_item_that_means_nothing_is_named(tmp_path: Path) -> None:
    items = load(tmp_path, "- rule: '*'\n  reason: known\n- rule: overdue-failback\n  reason: known\n")
    _, idle = items.mark([FINDING], NOON)
    assert idle == [f"{tmp_path / 'known.yaml'}:3: this item suppresses nothing"]


def test_of_two_items_on_one_line_the_idle_one_is_named(tmp_path: Path) -> None:
    file = "[{rule: premature-failback, reason: a}, {rule: overdue-failback, reason: b}]\n"
    _, idle = load(tmp_path, file).mark([FINDING], NOON)
    assert [sentence.partition(": ")[2] for sentence in idle] == ["this item suppresses nothing"]


def test_an_empty_file_suppresses_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, "# nothing yet\n").items == ()
    assert load(tmp_path, "~").items == ()


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputErrors) as caught:
        load(tmp_path, f"""\
- rule: premature-failbck
  reason: misspelt
- rule: config-nothing*
  reason: matches no rule
- rule: '*'
- reason: which rule
- {{rule: '*', line: 1001@pbx.example.com, reason: no scheme}}
- {{rule: '*', phone: 10.1.0.5/16, reason: bits beyond the mask}}
- {{rule: '*', from: yesterday, reason: no time}}
- {{rule: '*', expires: 2023-02-30, reason: no such day}}
- {{rule: '*', until: 2023-02-03, reason: no such key}}
- {{rule: '*', server: '{"x" * 300}', reason: too long}}
- just words
""")
    said = [str(error).removeprefix(str(tmp_path / "known.yaml")) for error in caught.value.errors]
    for number, words in enumerate([
        ":1: no rule is called 'premature-failbck'; did you mean 'premature-failback'?",
        ":3: no rule is called 'config-nothing*' (`sipaudit rules list`",
        ":5: the key 'reason' is missing", ":6: the key 'rule' is missing",
        ":7: '1001@pbx.example.com' matches no line (write 'sip:1001@pbx.example.com'",
        ":8: phone: '10.1.0.5/16' has bits set beyond its mask", ":9: from: 'yesterday' is no time",
        ":10: expires: '2023-02-30' is no time", ":11: unknown key 'until'",
        ":12: server is longer than 256 characters", ":13: a suppression must be a mapping, not a",
    ]):
        assert said[number].startswith(words)


def test_a_file_that_is_no_list_or_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputErrors, match="suppressions must be a list"):
        load(tmp_path, "rule: premature-failback\nreason: not a list\n")
    with pytest.raises(InputError, match="cannot be read"):
        load_suppressions(tmp_path / "nowhere.yaml", UTC, RULES)
