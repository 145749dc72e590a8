"""The frames of a finding prove it: they show what was done, and what made it wrong."""

from __future__ import annotations

import pytest

from tests.stories import MINUTE, R0, R1, R2, Court, Handset, P, S, Settings, Story, site
from tests.traps.ground import RETURN, TTL, handset, looks_up, minute, moved
from tests.wire import ORIGIN


def proof(court: Court, phone: Handset, regime: str, rule: str) -> list[tuple[float, str]]:
    """Times and summaries of the frames that prove the one finding of this rule."""
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


def observed(court: Court, phone: Handset, settings: Settings, rule: str) -> str:
    """The `observed` text of the one finding of this rule."""
    report = court.report(phone.story, site(settings))
    (finding,) = (finding for finding in report.findings if finding.rule == rule)
    return str(finding.observed)


@pytest.mark.parametrize("regime", ["R1", "R2", "R3"])
def test_until_when_the_new_server_had_granted_the_registration_that_has_run_out(court: Court, regime: str) -> None:
    """F6: the 200 that granted the registration is among the frames, for it says when that expired."""
    phone = handset(granted=120, asks=120)
    for time in (60, 120, 180):
        phone.register(time)
    phone.fail_over(200)
    phone.call(phone.register(280, P), P, 3.0)
    for time in range(340, 801, 60):
        phone.register(time)
    phone.call(phone.silence(810), S)
    assert [one for _, one in proof(court, phone, regime, "signalling-to-unregistered-server")] == [
        "200 REGISTER 10.0.0.2 → 10.1.0.5", "INVITE 10.1.0.5 → 10.0.0.1", "INVITE 10.1.0.5 → 10.0.0.2"]


def test_a_return_before_the_renewal_shows_what_is_to_be_renewed(court: Court) -> None:
    """B3: in R0 this is the line's latest registration, whichever server granted it."""
    phone = moved("R0")
    phone.call(1200, P)
    report = court.report(phone.story, site(R0 | {"failBack.mode": "registration"}))
    (finding,) = report.findings
    assert "before the line's latest registration is due for renewal" in finding.expected
    assert finding.evidence[0].summary == "200 REGISTER 10.0.0.1 → 10.1.0.5"


def test_the_register_that_was_one_too_many_is_among_the_frames(court: Court) -> None:
    """F5: the time of the finding is that of this REGISTER (reference-model.md 5)."""
    phone = handset()
    phone.call(phone.register(phone.silence(300), S), S)
    report = court.report(phone.story, site(R0 | {"failBack.mode": "DNSTTL"}))
    (finding,) = (finding for finding in report.findings if finding.rule == "unexpected-re-registration")
    assert finding.time in [frame.time for frame in finding.evidence]


def test_an_answer_is_no_packet_without_answer(court: Court) -> None:
    """F3: a 503 is a failure, too, and must not be reported as a missing answer."""
    phone = handset()
    phone.told(300.1, phone.ask(300, P, "INVITE"), 503)
    phone.call(300.3, S)
    said = observed(court, phone, R1 | {"failBack.mode": "DNSTTL"}, "signalling-to-unregistered-server")
    assert "0.2 s after the first sign that 10.0.0.1:5060/udp had failed" in said


def test_the_first_sign_of_a_reset_is_the_reset(court: Court) -> None:
    """F2: the time is counted from the RST, which is the frame shown, not from the request that it aborted."""
    phone = handset(transport="tcp")
    phone.ask(300, P, "INVITE")
    phone.story.reset(300.2, P, phone.place)
    phone.call(300.5, S)
    said = observed(court, phone, R1 | {"failBack.mode": "DNSTTL"}, "signalling-to-unregistered-server")
    assert "0.3 s after the first sign that 10.0.0.1:5060/udp had failed" in said


def test_a_server_that_failed_and_has_answered_since_is_not_said_to_have_never_failed(court: Court) -> None:
    """B4: what counts is the evidence against the server at the moment of the return."""
    phone = moved("R2")
    phone.told(320.1, phone.ask(320, S, "INVITE", to="sip:2001@pbx.example.com"), 503)
    phone.call(340, S, 3.0, to="sip:2002@pbx.example.com")
    phone.call(phone.register(500, P), P)
    said = observed(court, phone, R2 | {"failBack.mode": "duration", "failBack.timeout": 600}, "premature-failback")
    assert said.endswith("and nothing spoke against 10.0.0.2:5060/udp then.")


def test_what_had_gone_to_the_first_server_before_the_return_was_due_is_not_denied(court: Court) -> None:
    """B4: a keepalive to P before the return was due is no contact since it was due."""
    phone = moved("R2")
    phone.told(330.1, phone.ask(330, P, "OPTIONS"), 200)
    phone.call(500, S, to="sip:2003@pbx.example.com")
    said = observed(court, phone, R2 | MINUTE, "overdue-failback")
    assert said.endswith("and nothing had gone to 10.0.0.1:5060/udp since it was due.")


def test_less_than_a_tenth_of_a_second_is_not_said_to_be_none(court: Court) -> None:
    phone = moved("R2", challenges=False)
    tried = phone.ask(RETURN, P, "REGISTER", expires=3600)
    phone.told(RETURN + 0.06, phone.ask(RETURN + 0.05, S, "REGISTER", expires=0, call_id="at-s"), 200)
    phone.told(RETURN + 0.9, tried, 200, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
    phone.call(RETURN + 10, P)
    said = observed(court, phone, R2 | MINUTE, "secondary-abandoned")
    assert " 0.05 s after the try began" in said


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_the_registration_that_ended_last_is_the_one_that_is_shown(court: Court, regime: str) -> None:
    """F8: the registration at the failed server ended with the failover, however long it had been granted for."""
    phone = handset()
    phone.granted = phone.asks = 120
    phone.fail_over(300)
    phone.call(470, S)
    assert proof(court, phone, regime, "signalling-after-expiry") == [
        (305.511, "200 REGISTER 10.0.0.2 → 10.1.0.5"), (470.0, "INVITE 10.1.0.5 → 10.0.0.2")]


def test_of_two_calls_one_is_shown_to_be_up_still(court: Court) -> None:
    """B5: the other call was answered as well, and may have ended unseen."""
    phone = moved("R2")
    calls = [phone.ask(time, S, "INVITE") for time in (320, 340)]
    for number, call in enumerate(calls):
        phone.told(321 + 20 * number, call, 200)
        phone.acknowledge(321.1 + 20 * number, call)
    phone.register(RETURN)
    phone.hang_up(500, calls[1])
    assert observed(court, phone, R2 | MINUTE, "failback-during-call") == (
        "REGISTER to 10.0.0.1:5060/udp while a call was up: 2 had been answered and were not seen to end, the first of "
        "them 45.5 s before.")


@pytest.mark.parametrize(("rule", "server"), [("premature-failback", P), ("overdue-failback", S)])
def test_the_answers_that_said_how_long_a_name_lives(court: Court, rule: str, server: tuple[str, int]) -> None:
    """B2: these are the last answers before the failover, with the list and the address of each server."""
    phone = Handset(Story())
    looks_up(phone, -5, TTL)
    looks_up(phone, 250, TTL)
    phone.register(0)
    phone.fail_over(300, registers=False)
    phone.call({P: 340, S: 500}[server], server, to="sip:2003@pbx.example.com")
    report = court.report(phone.story, site(R0 | {"failBack.mode": "DNSTTL"}))
    (finding,) = (finding for finding in report.findings if finding.rule == rule)
    assert [frame.summary for frame in finding.evidence[:4]] == ["DNS answer on sbc"] * 3 + [
        "INVITE 10.1.0.5 → 10.0.0.1"]
    assert [round(frame.time - ORIGIN, 2) for frame in finding.evidence[:3]] == [250.0, 250.01, 250.02]


def _undeclared_entry() -> Settings:
    """A site that declares no servers: its lines have those that DNS lists."""
    return {"lines": [{"match": {}, "settings": R0 | {"failBack.mode": "DNSTTL"}}]}


def test_the_answers_that_told_of_an_entry_before_its_line_was_known(court: Court) -> None:
    """B2: a phone that starts looks up its servers before it registers; the REGISTER carries no TTLs."""
    phone = Handset(Story())
    looks_up(phone, -5, TTL)
    phone.register(0)
    phone.fail_over(300, registers=False)
    phone.call(340, P, to="sip:2003@pbx.example.com")
    report = court.report(phone.story, _undeclared_entry())
    (finding,) = (finding for finding in report.findings if finding.rule == "premature-failback")
    assert [(round(frame.time - ORIGIN, 2), frame.summary) for frame in finding.evidence[:4]] == [
        (-5.0, "DNS answer on pbx.example.com"), (-4.99, "DNS answer on pbx.example.com"),
        (-4.98, "DNS answer on pbx.example.com"), (300.0, "INVITE 10.1.0.5 → 10.0.0.1")]
