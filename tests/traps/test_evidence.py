"""The frames of a finding prove it: what was done, and what made it wrong."""

from __future__ import annotations

import pytest

from tests.stories import Court, Handset, P, S
from tests.traps.ground import RETURN, handset, minute, moved
from tests.wire import ORIGIN


def proof(court: Court, phone: Handset, regime: str, rule: str) -> list[tuple[float, str]]:
    """When the packets were that prove the one finding of this rule, and what they are said to be."""
    report = court.report(phone.story, minute(regime))
    (finding,) = (finding for finding in report.findings if finding.rule == rule)
    return [(round(frame.time - ORIGIN, 3), frame.summary) for frame in finding.evidence]


@pytest.mark.parametrize("regime", ["R2", "R3"])
@pytest.mark.parametrize("called", ["calls", "is-called"])
def test_that_a_call_was_up_before_the_return_and_after_it(court: Court, regime: str, called: str) -> None:
    phone = moved(regime)
    if called == "calls":
        call = phone.ask(350, S, "INVITE")
        phone.told(351, call, 200)
        phone.acknowledge(351.1, call)
    else:
        phone.replies(351, phone.called(350, S, "INVITE", call_id="theirs"), 200)
    phone.register(RETURN)
    if called == "calls":
        phone.hang_up(500, call)
    else:
        phone.replies(500, phone.called(499.9, S, "BYE", call_id="theirs", number=2, tag="near"), 200)
    answer = "10.0.0.2 → 10.1.0.5" if called == "calls" else "10.1.0.5 → 10.0.0.2"
    assert proof(court, phone, regime, "failback-during-call") == [
        (351.0, f"call up {answer}"), (RETURN, "REGISTER 10.1.0.5 → 10.0.0.1"),
        (500.0, f"{'BYE' if called == 'calls' else '200 BYE'} 10.1.0.5 → 10.0.0.2")]


@pytest.mark.parametrize("regime", ["R2", "R3"])
@pytest.mark.parametrize("refused", [False, True], ids=["never-asked", "refused"])
def test_that_the_server_had_been_left_and_was_not_registered_with_since(
        court: Court, regime: str, refused: bool) -> None:
    phone = moved(regime)
    if refused:
        phone.told(RETURN + 0.1, phone.ask(RETURN, P, "REGISTER", expires=3600), 403)
    phone.call(RETURN + 1, P)
    assert [said for _, said in proof(court, phone, regime, "failback-without-registration")] == [
        "INVITE 10.1.0.5 → 10.0.0.1", "REGISTER 10.1.0.5 → 10.0.0.2", "200 REGISTER 10.0.0.2 → 10.1.0.5",
        *(["403 REGISTER 10.0.0.1 → 10.1.0.5"] if refused else []), "INVITE 10.1.0.5 → 10.0.0.1"]


@pytest.mark.parametrize("refusal", ["never-asked", "403", "for 0 seconds"])
def test_what_the_new_server_had_said_of_the_registration(court: Court, refusal: str) -> None:
    phone = handset()
    time = phone.silence(300)
    if refusal != "never-asked":
        status, contact = (403, "") if refusal == "403" else (200, f"Contact: <{phone.contact}>;expires=0\r\n")
        phone.told(time + 0.1, phone.ask(time, S, "REGISTER", expires=3600), status, headers=contact)
    phone.call(time + 1, S)
    said = {"never-asked": [], "403": ["403 REGISTER 10.0.0.2 → 10.1.0.5"],
            "for 0 seconds": ["200 REGISTER 10.0.0.2 → 10.1.0.5"]}[refusal]
    assert [one for _, one in proof(court, phone, "R2", "signalling-to-unregistered-server")] == [
        "INVITE 10.1.0.5 → 10.0.0.1", *said, "INVITE 10.1.0.5 → 10.0.0.2"]


@pytest.mark.parametrize(("rule", "who"), [("signalling-to-failed-server", "phone"),
                                           ("accepted-from-failed-server", "server")])
def test_that_the_call_lived_at_the_failed_server(court: Court, rule: str, who: str) -> None:
    phone = handset()
    call = phone.ask(100, P, "INVITE")
    phone.told(101, call, 200)
    phone.acknowledge(101.1, call)
    phone.fail_over(300)
    if who == "phone":
        phone.hang_up(350, call)
    else:
        phone.replies(350.1, phone.called(350, P, "BYE", call_id=call.call_id, tag=call.near), 200)
    told = ["BYE 10.1.0.5 → 10.0.0.1"] if who == "phone" else ["BYE 10.0.0.1 → 10.1.0.5", "200 BYE 10.1.0.5 → 10.0.0.1"]
    assert [one for _, one in proof(court, phone, "R2", rule)] == [
        "call up 10.0.0.1 → 10.1.0.5", "INVITE 10.1.0.5 → 10.0.0.1", "200 REGISTER 10.0.0.2 → 10.1.0.5", *told]
