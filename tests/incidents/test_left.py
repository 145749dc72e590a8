"""Phones that leave a server for which there is no incident: the verdict says so, and what the server had answered."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from sipaudit.report.verdict import sentences
from tests.incidents.ground import Tower, end, registered
from tests.stories import CHALLENGE, GIVES_UP, MINUTE, R0, R2, Handset, P, S, Story


def is_refused(phone: Handset, time: float, status: int, method: str = "REGISTER") -> None:
    """P refuses the request; the phone registers at S, and makes a refused call there."""
    asked = phone.ask(time, P, method, expires=3600 if method == "REGISTER" else None)
    phone.told(time + 0.01, asked, status)
    phone.register(time + 0.02, S)
    if method == "INVITE":
        phone.call(time + 0.05, S, 5.0)


def said(tower: Tower, story: Story, **declared: Any) -> list[str]:
    end(story, 800)
    tower.see(story, **declared)
    return [sentence for sentence in sentences(tower.report, UTC) if " left " in sentence]


@pytest.mark.parametrize("status", [500, 408, 403])
def test_a_registrar_that_refuses_all_is_why_they_left(tower: Tower, status: int) -> None:
    """The database behind it is gone: calls go on, and S takes the registrations, so no line is without one."""
    story = Story()
    phones = registered(story, 5)
    for number, phone in enumerate(phones[:4]):
        is_refused(phone, 300 + number, status)
        phone.register(400 + number)
    phones[4].call(310)
    assert said(tower, story) == [
        f"4 phones left 10.0.0.1 from 12:05:00 to 12:05:03 because of what it answered: {status} to REGISTER."]
    assert not tower.report.incidents
    assert "No outage or other incident was seen." not in sentences(tower.report, UTC)


def test_one_that_refuses_calls_now_and_then_is_left_more_often_than_by_as_many(tower: Tower) -> None:
    """The refusals are too rare for an overload; what the server grants in between shows that it works (F3)."""
    story = Story()
    phones = registered(story, 5)
    for turn in range(3):
        for number, phone in enumerate(phones[:2]):
            is_refused(phone, 300 + 100 * turn + 20 * number, 503, "INVITE")
            phone.register(375 + 100 * turn + 20 * number)
        phones[4].register(310 + 100 * turn)
    assert said(tower, story) == ["2 phones left 10.0.0.1, six times in all, from 12:05:00 to 12:08:40 because of what "
                                  "it answered: 503 to INVITE."]


def test_they_may_not_have_heard_what_it_answered(tower: Tower) -> None:
    """The tap is between the server and whatever loses its answers: phones retransmit, and leave."""
    story = Story()
    for number, phone in enumerate(registered(story, 5)):
        asked = phone.ask(300 + number, P, "REGISTER", expires=3600)
        phone.told(300.01 + number, asked, 401, headers=CHALLENGE)
        for after in (0.5, 1.5, 3.5):
            phone.again(300 + number + after, asked)
        phone.register(305.5 + number, S)
    assert said(tower, story) == ["5 phones left 10.0.0.1 from 12:05:05 to 12:05:09, though it had answered them as "
                                  "far as the captures show: they may not have heard it."]


@pytest.mark.parametrize(("refused", "phones"), [(1, 5), (2, 21)])
def test_one_phone_or_a_few_of_many_have_a_problem_of_their_own(tower: Tower, refused: int, phones: int) -> None:
    story = Story()
    for phone in registered(story, phones)[:refused]:
        is_refused(phone, 300, 500)
    assert said(tower, story) == []


def test_nor_is_it_said_where_they_are_far_apart(tower: Tower) -> None:
    story = Story()
    for number, phone in enumerate(registered(story, 2)):
        is_refused(phone, 60 + 601 * number, 500)
    assert said(tower, story) == []


@pytest.mark.parametrize("settings", [R0, R2])
def test_what_an_incident_tells_is_not_told_again(tower: Tower, settings: dict[str, int]) -> None:
    story = Story()
    phones = registered(story, 6)
    for number, phone in enumerate(phones[:3]):
        phone.fail_over(300 + number, registers=settings is R2)
    for number, phone in enumerate(phones[3:5]):
        is_refused(phone, 304 + number, 503)
    phones[5].register(400)
    end(story, 800)
    tower.see(story, {**settings, **MINUTE})
    assert [incident.kind for incident in tower.report.incidents] == ["server-outage"]
    assert not any(" left " in sentence for sentence in sentences(tower.report, UTC))


def test_between_servers_of_equal_priority_nobody_leaves(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 5)
    for turn in range(4):
        for number, phone in enumerate(phones):
            phone.register(300 + 100 * turn + number, (S, P)[turn % 2])
    assert said(tower, story, priorities=(1, 1)) == []


def test_a_server_that_grants_no_time_is_why_they_left(tower: Tower) -> None:
    """The phones did receive the answer: it granted no time."""
    story = Story()
    phones = registered(story, 5)
    for number, phone in enumerate(phones[:4]):
        time = 300 + number
        asked = phone.ask(time, P, "REGISTER", expires=3600)
        phone.told(time + 0.004, asked, 200, headers=f"Contact: <{phone.contact}>;expires=0\r\n")
        phone.register(time + 0.02, S)
        phone.register(400 + number)
    phones[4].call(310)
    assert said(tower, story, settings={**R2, **MINUTE}) == [
        "4 phones left 10.0.0.1 from 12:05:00 to 12:05:03 because of what it answered: 200 to REGISTER, with a "
        "registration of no time."]


def test_who_comes_to_a_server_once_it_is_back_does_not_leave_it_for_its_outage(tower: Tower) -> None:
    """The link of all phones is cut: they lose P, where they work, and S. Then a REGISTER reaches S again, and the next
    call goes to P first (B1), though no call that timed out at S was repeated there with success."""
    story = Story()
    phones = registered(story, 4)
    for number, phone in enumerate(phones):
        for time in (300 + number, 400 + number):
            phone.silence(time, P)
            phone.silence(time + GIVES_UP, S)
        phone.silence(480 + number, P, "REGISTER")
        phone.register(480 + number + GIVES_UP, S)
        phone.call(520 + number, P)
    end(story, 700)
    tower.see(story, {**R0})
    outages = {incident.server: incident for incident in tower.report.incidents if incident.kind == "server-outage"}
    primary, second = outages["10.0.0.1:5060/udp"], outages["10.0.0.2:5060/udp"]
    assert (primary.metrics["lines_moved"], primary.metrics["time_to_recover_p50"]) == (4, 185.511)
    assert (second.metrics["lines_moved"], second.metrics["time_to_detect_p50"]) == (0, None)
