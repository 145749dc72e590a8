"""Servers that take a while to answer, or refuse other lines, cast no doubt on what a line does."""

from __future__ import annotations

import pytest

from sipaudit.capture.write import Endpoint
from tests.stories import CHALLENGE, CREDENTIALS, R2, Court, Handset, P, S, Story, site
from tests.traps.ground import PREMATURE, accused, any_regime, minute, moved, returns

T = ("10.0.0.3", 5060)
SETTINGS = {**R2, "failBack.mode": "duration", "failBack.timeout": 60}

# F2: with these settings a phone gives up after 3.15 s at the earliest, so an earlier answer was in time
takes = pytest.mark.parametrize(("seconds", "sure"), [
    (0.05, True), (0.25, True), (0.6, True), (2.5, True), (3.3, False)])


def registers(phone: Handset, time: float, server: Endpoint, seconds: float) -> float:
    """REGISTER, 401, REGISTER, 200: each answer takes `seconds`."""
    asked = phone.ask(time, server, "REGISTER", expires=3600)
    phone.told(time + seconds, asked, 401, headers=CHALLENGE)
    time += seconds + 0.003
    asked = phone.ask(time, server, "REGISTER", expires=3600, headers=CREDENTIALS)
    phone.told(time + seconds, asked, 200, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
    return time + seconds + 0.003


def first_outage(seconds: float) -> Handset:
    """P is silent at 100; the phone returns after a minute, by a REGISTER alone."""
    phone = Handset(Story())
    registers(phone, 0, P, seconds)
    time = registers(phone, phone.silence(100), S, seconds)
    phone.call(time, S, 5)
    registers(phone, time + 61, P, seconds)
    return phone


@takes
def test_who_returns_too_early_in_the_second_outage(court: Court, seconds: float, sure: bool) -> None:
    phone = first_outage(seconds)
    phone.call(registers(phone, phone.silence(1000), S, seconds), S, 5)
    registers(phone, 1030, P, 0.01)
    found = court(phone.story, site(SETTINGS))
    assert (f"1030.000 {PREMATURE} 1001 10.0.0.1 certain" in found) is sure
    assert any(PREMATURE in said for said in found)


@takes
def test_who_does_not_return_in_the_second_outage(court: Court, seconds: float, sure: bool) -> None:
    phone = first_outage(seconds)
    phone.call(registers(phone, phone.silence(1000), S, seconds), S, 5)
    for time in (1200, 1300):
        phone.call(time, S, 5)
    assert any("overdue-failback" in said for said in accused(court(phone.story, site(SETTINGS)))) is sure


@takes
def test_who_accepts_a_call_from_the_failed_server(court: Court, seconds: float, sure: bool) -> None:
    phone = Handset(Story())
    registers(phone, 0, P, seconds)
    phone.call(registers(phone, phone.silence(300), S, 0.01), S, 5)
    asked = phone.called(340, P, "INVITE", call_id="ff@pbx")
    phone.replies(340.05, asked, 180)
    phone.replies(342, asked, 200)
    found = accused(court(phone.story, site(SETTINGS)))
    assert any("accepted-from-failed-server" in said for said in found) is sure


@pytest.mark.parametrize("seconds", [0.05, 0.25, 2.5])
def test_the_second_server_that_was_slow_once_is_passed_over(court: Court, seconds: float) -> None:
    """It answered slowly in an earlier outage, which a call through P has ended."""
    phone = first_outage(seconds)
    phone.call(300, P, 5)
    phone.call(registers(phone, phone.silence(1000), T, 0.01), T, 5)
    found = accused(court(phone.story, site(SETTINGS, P, S, T)))
    assert any("failover-skipped-server" in said for said in found)


def test_what_ran_out_before_the_last_return_is_no_try_of_another_server(court: Court) -> None:
    """P left a call unanswered more than an hour ago; the line returned by REGISTER, and has made no call since."""
    phone = first_outage(0.01)
    phone.register(3000)
    phone.call(phone.register(phone.silence(5000), T), T, 5)
    found = accused(court(phone.story, site(SETTINGS, P, S, T)))
    assert any("failover-skipped-server" in said for said in found)


@any_regime
def test_a_line_that_is_refused_for_good_does_not_hide_what_another_does(court: Court, regime: str) -> None:
    """A wrong password: the server that serves the other line answers this one's REGISTER with 403, every minute."""
    story = Story()
    phone = moved(regime, story)
    other = Handset(story, user="1002", place=phone.place)
    for time in (10, 70, 130, 190, 250, 312, 316, 340, 370):
        other.told(time + 0.004, other.ask(time, S if 300 < time < 330 else P, "REGISTER", expires=3600), 403)
    phone.call(314, S, 5)
    phone.call(322, S, 5)
    returns(phone, regime, 336)
    found = court(story, minute(regime))
    assert any(PREMATURE in said and said.endswith("certain") for said in found)
