"""Faults that must not be covered by something harmless beside them (reference-model.md 5): each was missed once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.stories import CHALLENGE, CREDENTIALS, MINUTE, R0, R2, R3, Court, Handset, P, S, Settings, Story, T, site
from tests.traps.ground import REGIMES, RETURN, TTL, accused, any_regime, handset, looks_up, minute, moved

OVERDUE, UNTRIED, SKIPPED = "overdue-failback", "primary-not-tried-first", "failover-skipped-server"


@any_regime
@pytest.mark.parametrize("shown", ["an answer over long ago", "an answer over soon", "what is declared"])
def test_the_last_sending_of_the_call_that_failed_is_no_failback(court: Court, regime: str, shown: str) -> None:
    """B2: the age of the DNS answer when P failed can only make the return due sooner."""
    phone = Handset(Story())
    if shown != "what is declared":
        looks_up(phone, {"an answer over long ago": -5, "an answer over soon": 187}[shown], TTL)
    phone.register(0)
    phone.fail_over(300, registers=regime != "R0")
    phone.call(312, S, 3.0, to="sip:2001@pbx.example.com")   # S challenged last, so the call may go there (F13)
    phone.call(500, S, 5.0, to="sip:2002@pbx.example.com")
    declared = site({**REGIMES[regime], "failBack.mode": "DNSTTL"}, ttl=TTL if shown == "what is declared" else None)
    found = [said.split()[:4] for said in accused(court(phone.story, declared)) if OVERDUE in said]
    assert found == [["500.000", OVERDUE, "1001", "10.0.0.1"]]


def test_a_refused_connection_is_waited_for_no_longer(court: Court) -> None:
    """B1: the interval between two tries that were refused at once is not how long the phone waits for the second."""
    phone = handset(transport="tcp")
    for port, time in ((49_153, 300.0), (49_154, 345.0)):
        ends = (phone.place[0], port)
        phone.story.syn(time, ends, P)
        phone.story.reset(time + 0.002, P, ends)
        phone.call(time + 0.1, S, 5.0, to=f"sip:{port}@pbx.example.com")
    phone.call(390, S, 5.0, to="sip:2003@pbx.example.com")
    assert f"390.000 {UNTRIED} 1001 10.0.0.2 certain" in court(phone.story, site(R0))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_try_in_vain_is_no_answer_that_the_capture_lacks(court: Court, transport: str) -> None:
    """F3: over TCP nothing is retransmitted by SIP, but a missing 503 would leave a gap in the stream."""
    phone = handset(transport=transport)
    for time in (300.0, 400.0):
        if transport == "udp":
            phone.silence(time)
        else:
            phone.ask(time, P, "INVITE")
        phone.call(time + 32, S, 5.0)
    phone.call(600, S, 5.0, to="sip:2003@pbx.example.com")
    assert f"600.000 {UNTRIED} 1001 10.0.0.2 certain" in court(phone.story, site(R0))


def test_what_a_call_of_the_other_line_met_is_over_when_the_server_answers_both(court: Court) -> None:
    """Both lines gave up their calls at S before S answered each of them: S has recovered, and is passed over."""
    story = Story()
    lines = [handset(story, user=user, contact=f"sip:{user}@10.1.0.5") for user in ("1001", "1002")]
    for number, phone in enumerate(lines):
        phone.fail_over(100 + number, registers=True)
        phone.silence(140 + number, S)
    for number, phone in enumerate(lines):
        phone.call(150 + number, S, 2.0, to=f"sip:{phone.user}9@pbx.example.com")
        phone.call(phone.register(200 + number, P), P, 3.0)
    lines[0].register(lines[0].silence(300, P), T)
    assert any(SKIPPED in said for said in court(story, site(R3 | {"failBack.mode": "registration"}, P, S, T)))


def test_what_another_line_called_in_vain_is_no_try_of_this_call(court: Court) -> None:
    """B1: line 1 tried this number at P when P fell silent; line 2, which moved by a call of its own, calls it
    later."""
    story = Story()
    lines = [handset(story, user=user, contact=f"sip:{user}@10.1.0.5") for user in ("1001", "1002")]
    for number, phone in enumerate(lines):
        called = f"sip:200{number}@pbx.example.com"
        phone.call(phone.silence(300 + number, to=called), S, 5.0, to=called)
    lines[1].call(400, S, 5.0, to="sip:2000@pbx.example.com")
    assert f"400.000 {UNTRIED} 1002 10.0.0.2 certain" in court(story, site(R0))


def test_where_no_settings_are_declared_that_is_why_it_is_left_open(court: Court) -> None:
    """B1: how long the phone may wait for P (F2) is unknown as well, but that is not the reason given."""
    phone = handset()
    phone.fail_over(300, registers=False)
    phone.call(400, S, 5.0, to="sip:2003@pbx.example.com")
    assert f"? {UNTRIED} settings-unknown" in court(phone.story, site(None))


@pytest.mark.parametrize("regime", ["R2", "R3"])
@pytest.mark.parametrize("numbered", ["together", "by server"])
def test_a_binding_is_given_up_before_the_challenge_of_the_try_is_answered(
        court: Court, regime: str, numbered: str) -> None:
    """F11: a challenge does not conclude the try, and a REGISTER that removes a binding repeats none that requests
    one."""
    phone = moved(regime, challenges=False)
    tried = phone.ask(RETURN, P, "REGISTER", expires=3600)
    phone.told(RETURN + 0.02, tried, 401, headers=CHALLENGE)
    own = None if numbered == "together" else "at-s"
    phone.told(RETURN + 0.05, phone.ask(RETURN + 0.03, S, "REGISTER", expires=0, call_id=own), 200)
    tried = phone.ask(RETURN + 0.06, P, "REGISTER", expires=3600, headers=CREDENTIALS)
    phone.told(RETURN + 0.1, tried, 200, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
    phone.call(RETURN + 10, P)
    assert [said.split()[:4] for said in accused(court(phone.story, minute(regime)))] == [
        [f"{RETURN + 0.03:.3f}", "secondary-abandoned", "1001", "10.0.0.2"]]


@pytest.mark.parametrize("regime", ["R2", "R3"])
def test_the_answer_to_another_line_ends_no_try(court: Court, regime: str) -> None:
    """F11: line 1 is back already. Line 2 gives up its binding at S while its own REGISTER at P is unanswered."""
    story = Story()
    second = moved(regime, story, user="1002", contact="sip:1002@10.1.0.5")
    first = moved(regime, story, contact="sip:1001@10.1.0.5")
    tried = second.ask(RETURN, P, "REGISTER", expires=3600, headers=CREDENTIALS)
    first.register(RETURN + 0.01, P)
    second.told(RETURN + 0.15, second.ask(RETURN + 0.1, S, "REGISTER", expires=0), 200)
    second.told(RETURN + 0.9, tried, 200, headers=f"Contact: <{second.contact}>;expires=3600\r\n")
    second.call(RETURN + 10, P)
    assert [said.split()[:4] for said in accused(court(story, minute(regime)))] == [
        [f"{RETURN + 0.1:.3f}", "secondary-abandoned", "1002", "10.0.0.2"]]


@pytest.mark.parametrize("answered", [False, True], ids=["waits still", "has its answer"])
def test_what_another_line_asks_the_challenger_takes_no_credentials_there(court: Court, answered: bool) -> None:
    """F13: line 2 registers at P after the challenge to line 1 and before line 1's credentials, which go to S."""
    story = Story()
    first, second = (handset(story, user=user, contact=f"sip:{user}@10.1.0.5", challenges=False)
                     for user in ("1001", "1002"))
    first.told(300.004, first.ask(300, P, "REGISTER", expires=3600), 401, headers=CHALLENGE)
    other = second.ask(300.006, P, "REGISTER", expires=3600)
    if answered:
        second.told(300.010, other, 200, headers=f"Contact: <{second.contact}>;expires=3600\r\n")
    first.told(300.024, first.ask(300.02, S, "REGISTER", expires=3600, headers=CREDENTIALS), 403)
    if not answered:
        second.told(300.03, other, 200, headers=f"Contact: <{second.contact}>;expires=3600\r\n")
    first.register(301, P)
    assert [said.split()[:4] for said in accused(court(story, minute("R1")))] == [
        ["300.020", "credentials-to-wrong-server", "1001", "10.0.0.2"]]


@pytest.mark.parametrize(("regime", "rule"), [("R0", UNTRIED), ("R1", OVERDUE), ("R2", OVERDUE), ("R3", OVERDUE)])
@pytest.mark.parametrize("heals", [False, True], ids=["does not resolve", "resolves again"])
def test_a_name_that_resolves_again_excuses_nothing(court: Court, regime: str, rule: str, heals: bool) -> None:
    """B1: while P's name does not resolve, P cannot be tried; a later answer with an address ends that excuse."""
    phone = Handset(Story())
    looks_up(phone, -5)
    phone.register(0)
    phone.story.lookup(300, phone.place, "sbc1.example.com.", "A", rcode=3)
    time = phone.register(300.1, S) if regime != "R0" else 300.1
    phone.call(phone.call(time, S, 3.0, to="sip:2001@pbx.example.com"), S, 3.0, to="sip:2002@pbx.example.com")
    if heals:
        phone.story.lookup(340, phone.place, "sbc1.example.com.", "A", "sbc1.example.com. 60 IN A 10.0.0.1")
    phone.call(480, S, 5.0, to="sip:2003@pbx.example.com")
    named = {"servers": [{"name": "sbc1.example.com"}, {"name": "sbc2.example.com"}]}
    mode = {"failBack.mode": "newRequests"} if regime == "R0" else {"failBack.mode": "duration", "failBack.timeout": 60}
    declared = {"entries": {"sbc": named}, "lines": [{"match": {}, "entry": "sbc", "settings": REGIMES[regime] | mode}]}
    assert [said.split()[:2] for said in accused(court(phone.story, declared))] == [["480.000", rule]] * heals


def _unregistered(phone: Handset) -> None:
    phone.call(phone.silence(300), S)


def _granted_nothing(phone: Handset) -> None:
    """The next server accepts the REGISTER but grants 0 s; the phone calls there all the same (F6)."""
    asked = phone.ask(phone.silence(300), S, "REGISTER", expires=3600)
    phone.told(305.55, asked, 200, headers=f"Contact: <{phone.contact}>;expires=0\r\n")
    phone.call(306.5, S)


def _says_good_bye(phone: Handset) -> None:
    time = phone.silence(300)
    phone.ask(time, P, "REGISTER", expires=0)
    phone.call(phone.register(time + 0.5, S), S)


def _stays(phone: Handset) -> None:
    for time in (300, 360, 420):
        phone.silence(time, method="REGISTER")
    phone.ask(600, P, "OPTIONS")


def _calls_by_another(phone: Handset) -> None:
    phone.call(300, S, to="sip:2001@pbx.example.com")


def _is_registered_nowhere(phone: Handset) -> None:
    phone.call(4000, P)


Misdeed = tuple[Callable[[Handset], None], Settings, str, str]
SINCE_LOG_IN: dict[str, Misdeed] = {
    "signalling-to-unregistered-server": (_unregistered, R2 | MINUTE, "305.500", "10.0.0.2"),
    "deregistration-at-failover": (_says_good_bye, R2 | MINUTE, "305.500", "10.0.0.1"),
    "failover-missing": (_stays, R2 | MINUTE, "360.000", "10.0.0.1"),
    UNTRIED: (_calls_by_another, R0, "300.000", "10.0.0.2"),
    "signalling-after-expiry": (_is_registered_nowhere, R2 | MINUTE, "4000.000", "10.0.0.1"),
}


@pytest.mark.parametrize("rule", SINCE_LOG_IN)
def test_who_has_logged_in_long_ago_and_was_served_since_is_judged_as_ever(court: Court, rule: str) -> None:
    """A log-in looks like a boot (reference-model.md 1), but a boot does not change what is right or wrong later."""
    misdeed, settings, time, server = SINCE_LOG_IN[rule]
    found = court(_logged_in(misdeed), site(settings))
    assert [" ".join(said.split()[:4]) for said in found if rule in said] == [f"{time} {rule} 1001 {server}"]


def test_what_another_server_said_since_does_not_hide_that_the_log_in_was_served(court: Court) -> None:
    rule = "signalling-to-unregistered-server"
    found = court(_logged_in(_granted_nothing), site(R2 | MINUTE))
    assert [" ".join(said.split()[:4]) for said in found if rule in said] == [f"306.500 {rule} 1001 10.0.0.2"]


def _logged_in(misdeed: Callable[[Handset], None]) -> Story:
    """The user logs out, and in again minutes later; all is well for almost an hour, and then `misdeed` follows."""
    phone = Handset(Story())
    for time in (-9000, -6500):
        phone.register(time)
    phone.register(-3400, expires=0)
    phone.register(-3000, call_id="another@10.1.0.5")
    phone.register(0)
    misdeed(phone)
    return phone.story


@pytest.mark.parametrize(("registered", "paced"), [((0, 45), False), ((0, 45, 90), True)], ids=["twice", "at a pace"])
def test_who_registers_once_more_just_after_its_start_has_no_pace(
        court: Court, registered: tuple[int, ...], paced: bool) -> None:
    """A verdict that rests on the absence of packets is left open where renewals of the line are missing. Two REGISTERs
    long before any renewal is due set no interval, so no renewal can be missing."""
    phone = Handset(Story())
    for time in registered:
        phone.register(time)
    phone.fail_over(300, registers=False)
    phone.call(400, S, 5.0, to="sip:2003@pbx.example.com")
    found = [said for said in court(phone.story, site(R0)) if UNTRIED in said]
    assert found == ([f"? {UNTRIED} loss-nearby"] if paced else [f"400.000 {UNTRIED} 1001 10.0.0.2 certain"])


def test_a_controller_that_answers_prack_itself_loses_no_packet(court: Court) -> None:
    """The far end's CSeq skips a number in each call to the phone (RFC 3261 12.2.2), which is no sign of loss."""
    phone = handset()
    for time, server in ((100.0, P), (200.0, P), (315.0, S), (335.0, S)):
        call = f"from-far-{time:.0f}"
        asked = phone.called(time, server, "INVITE", call_id=call)
        phone.replies(time + 0.1, asked, 200)
        phone.called(time + 0.2, server, "ACK", call_id=call, tag="near")
        phone.replies(time + 5.1, phone.called(time + 5, server, "BYE", call_id=call, number=3, tag="near"), 200)
    phone.fail_over(300)
    phone.register(345, P)
    report = court.report(phone.story, minute("R2"))
    assert [capture.loss.missing_halves for capture in report.captures] == [0]
    assert [(finding.rule, finding.confidence) for finding in report.findings] == [("premature-failback", "certain")]
