"""A server that refuses one kind of request with 503 for minutes, and grants another: the report must be true of
both."""

from __future__ import annotations

from datetime import UTC

import pytest

from sipaudit.report.incident_words import words_of
from tests.incidents.ground import Tower, end, registered
from tests.stories import Handset, P, Story
from tests.wire import ORIGIN


def asks(phone: Handset, time: float, method: str, status: int) -> None:
    asked = phone.ask(time, P, method, expires=3600 if method == "REGISTER" else None)
    phone.told(time + 0.01, asked, status, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")


def test_how_its_first_request_failed_is_said_though_its_phone_had_been_refused_before(tower: Tower) -> None:
    """A call is served in between: the outage begins only after it."""
    story = Story()
    phones = registered(story, 8)
    asks(phones[0], 300, "REGISTER", 503)
    phones[7].told(301.01, phones[7].ask(301, P, "INVITE"), 486)
    for number in range(30):
        asks(phones[number % 6], 302 + 4 * number, "REGISTER", 503)
    phones[7].register(440)
    end(story, 500)
    tower.see(story, None, P)
    assert tower.of("server-outage").start - ORIGIN == 302
    assert [entry.what for entry in tower.of("server-outage").timeline if entry.what.startswith("first ")] == [
        "first request refused with 503"]


@pytest.mark.parametrize(("refused", "granted", "said"), [
    ("INVITE", "REGISTER", "refused calls with 503, though it answered other requests, from"),
    ("REGISTER", "INVITE", "refused REGISTERs with 503, though it answered other requests, from"),
    ("INVITE", "OPTIONS", "answered everything but OPTIONS with 503 from"),
    ("INVITE", None, "answered nothing but 503 from"),
])
def test_what_it_refuses_and_that_it_grants_the_rest_is_said(
    tower: Tower, refused: str, granted: str | None, said: str
) -> None:
    story = Story()
    phones = registered(story, 8)
    for turn in range(30):
        asks(phones[turn % 8], 300 + 7 * turn, refused, 503)
        if turn in (10, 20) and granted is not None:
            asks(phones[turn % 8], 303 + 7 * turn, granted, 200)
    for number, phone in enumerate(phones):
        phone.call(600 + number)
        phone.register(620 + number)
    end(story, 700)
    tower.see(story, None, P)
    outage = tower.of("server-outage")
    assert words_of(tower.report, UTC).of(outage)[0].startswith(f"10.0.0.1 {said} 12:05:00 to 12:")
    assert any(entry.what.endswith(" answers other requests") for entry in outage.timeline) is (
        "though it answered" in said)


@pytest.mark.parametrize("asked", [299.0, 302.5])
def test_that_a_call_that_rang_is_picked_up_does_not_say_that_it_serves_others(tower: Tower, asked: float) -> None:
    """A server that is being drained lets calls in progress complete."""
    story = Story()
    phones = registered(story, 20)
    early = phones[19].ask(asked, P, "INVITE")
    phones[19].told(asked + 0.1, early, 180)
    phones[19].told(304, early, 200, headers="Contact: <sip:2000@10.0.0.1>\r\n")
    for number in range(30):
        asks(phones[number % 10], 301 + 4 * number, "INVITE", 503)
    phones[18].register(440)
    end(story, 500)
    served = asked > 301
    start = 305 if served else 301
    assert tower.see(story, None, P, only="server-outage") == [f"server-outage 10.0.0.1 {start}.000-440.004 10"]


def test_nor_that_it_answers_other_phones(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 20)
    early = phones[19].ask(299, P, "INVITE")
    phones[19].told(299.1, early, 180)
    phones[19].told(302, early, 200, headers="Contact: <sip:2000@10.0.0.1>\r\n")
    for number, phone in enumerate(phones[:10]):
        phone.silence(300 + number)
    phones[18].register(440)
    end(story, 500)
    tower.see(story, None, P)
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    assert said == "10.0.0.1 did not answer from 12:05:00 to 12:07:20."
