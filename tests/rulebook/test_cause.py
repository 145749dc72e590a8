"""When one fault brings another, the finding names its cause."""

from __future__ import annotations

from sipaudit.model.scenario import parse
from sipaudit.model.values import Finding
from sipaudit.rulebook.pack import load_pack
from sipaudit.rulebook.trial import judge_scenario

PACK = load_pack()
EXPIRY_OF_NOTHING = """
entry: P S
settings: reRegisterOn=1 failRegistrationOn=0 failBack.mode=newRequests
0       > P REGISTER
0.1     < P 200 REGISTER expires=3600
300     > P INVITE
300.5   >> P INVITE
303.5   > S REGISTER
303.6   < S 200 REGISTER expires=0
303.7   > S INVITE
"""


def findings(text: str) -> dict[str, Finding]:
    return {finding.rule: finding for finding in judge_scenario(parse(text), PACK.rules)[1]}


def test_a_call_behind_a_shut_gate_names_the_answer_that_left_it_shut() -> None:
    found = findings(EXPIRY_OF_NOTHING)
    answer, call = found["registration-without-expiry"], found["signalling-to-unregistered-server"]
    assert (answer.id, answer.cause) == ("f-000001", None)
    assert (call.id, call.cause) == ("f-000002", "f-000001")


def test_without_that_answer_the_call_stands_alone() -> None:
    found = findings(EXPIRY_OF_NOTHING.replace("200 REGISTER expires=0", "403 REGISTER"))
    assert [(rule, finding.cause) for rule, finding in found.items()] == [("signalling-to-unregistered-server", None)]


def test_what_came_long_before_is_no_cause() -> None:
    found = findings(EXPIRY_OF_NOTHING.replace("303.7   > S", "903.7   > S"))
    assert found["signalling-to-unregistered-server"].cause is None


def test_causes_are_rules_that_ship() -> None:
    known = {rule.id for rule in PACK.rules}
    assert all(rule.consequence_of <= known for rule in PACK.rules)
