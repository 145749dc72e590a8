"""A server that answers calls and OPTIONS but no REGISTER any more: its registrar is out."""

from __future__ import annotations

from datetime import UTC

import pytest

from sipaudit.report.incident_words import words_of
from tests.incidents.ground import Tower, end, registered
from tests.stories import CHALLENGE, CREDENTIALS, Handset, P, S, Story

OUTAGE = "server-outage 10.0.0.1"


def keeps(story: Story, phone: Handset, time: float, method: str) -> None:
    """A request other than REGISTER, which the server answers."""
    if method == "INVITE":
        phone.call(time)
    else:
        phone.told(time + 0.004, phone.ask(time, P, method), 200)


@pytest.mark.parametrize("apart", [40, 120])
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "MESSAGE"])
def test_a_registrar_that_is_silent_is_one_outage_though_others_are_answered(
    tower: Tower, method: str, apart: int
) -> None:
    story = Story()
    phones = registered(story, 4)
    for time in range(300, 900, apart):
        for number, phone in enumerate(phones):
            phone.silence(time + number, method="REGISTER")
        keeps(story, phones[3], time + 15, method)
    phones[0].register(905)
    end(story, 960)
    assert tower.see(story, None, P, only="server-outage") == [f"{OUTAGE} 300.000-905.004 4"]
    incident = tower.of("server-outage")
    assert "10.0.0.1:5060/udp answers others than REGISTERs" in [entry.what for entry in incident.timeline]
    said = words_of(tower.report, UTC).of(incident)[0]
    assert "answered no REGISTER, though it answered other requests, from" in said


def test_it_lasts_while_no_register_is_answered(tower: Tower) -> None:
    """By then the phones work elsewhere, and nobody sends P a REGISTER before 850."""
    story = Story()
    phones = registered(story, 4)
    for time in (300, 340):
        for number, phone in enumerate(phones[:3]):
            phone.silence(time + number, method="REGISTER")
        phones[3].call(time + 15)
    for phone in phones[:3]:
        phone.register(350, S)
    phones[3].call(500)
    phones[3].register(850)
    end(story, 900)
    assert tower.see(story, only="server-outage") == [f"{OUTAGE} 300.000-850.004 3"]


def test_a_server_that_is_back_is_back_for_all_though_calls_show_it_first(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 4)
    for number, phone in enumerate(phones[:3]):
        phone.silence(300 + number, method="REGISTER")
    phones[3].call(400)
    phones[3].register(600)
    end(story, 700)
    assert tower.see(story, None, P, only="server-outage") == [f"{OUTAGE} 300.000-401.000 3"]


@pytest.mark.parametrize("late", [False, True])
def test_two_outages_stay_two(tower: Tower, late: bool) -> None:
    """In between a REGISTER was answered, or the registrar was not asked for a long time."""
    story = Story()
    phones = registered(story, 4)
    for time in (300, 2100 if late else 500):
        for number, phone in enumerate(phones[:3]):
            phone.silence(time + number, method="REGISTER")
        phones[3].call(time + 100)
        if not late:
            phones[3].register(time + 120)
    end(story, 2400)
    assert [line.split()[2].partition("-")[0] for line in tower.see(story, None, P, only="server-outage")] == [
        "300.000", "2100.000" if late else "500.000"]


def test_phones_that_ask_it_seldom_tell_of_one_outage(tower: Tower) -> None:
    """They work elsewhere, and check every quarter of an hour whether the server is back."""
    story = Story()
    phones = registered(story, 4)
    for time in range(300, 3900, 900):
        for number, phone in enumerate(phones[:3]):
            phone.silence(time + number * 10, method="REGISTER")
            phone.register(time + number * 10 + 5.5, S)
        for later in range(60, 900, 120):
            phones[3].call(time + later, seconds=3)
    phones[3].register(4000)
    end(story, 4100)
    assert tower.see(story, only="server-outage") == [f"{OUTAGE} 300.000-4000.004 3"]


@pytest.mark.parametrize("every", [100, 1200])
def test_a_server_that_answers_nothing_but_options_is_out_until_it_does(tower: Tower, every: int) -> None:
    """Something else than what serves phones answers OPTIONS (section 1: they disprove nothing about the rest)."""
    story = Story()
    phones = registered(story, 20)
    for time in range(300, 5000, every):
        for number, phone in enumerate(phones):
            phone.silence(time + number * 3, method="REGISTER" if number % 2 else "INVITE")
    for time in range(300, 5990, 30):
        keeps(story, phones[time // 30 % 20], time + 0.5, "OPTIONS")
    phones[3].register(6000)
    end(story, 6100)
    assert tower.see(story, None, P, only="server-outage") == [f"{OUTAGE} 300.000-6000.004 20"]
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    assert said.startswith("10.0.0.1 answered nothing but OPTIONS from ")


def test_who_is_challenged_and_then_left_alone_is_no_other(tower: Tower) -> None:
    """The credentials store hangs: every phone gets a 401, and nothing more."""
    story = Story()
    phones = registered(story, 20)
    for time in range(300, 600, 60):
        for number, phone in enumerate(phones):
            phone.told(time + number + 0.01, phone.ask(time + number, P, "REGISTER", expires=3600), 401,
                       headers=CHALLENGE)
            phone.silence(time + number + 0.02, method="REGISTER", headers=CREDENTIALS)
    phones[0].register(650)
    end(story, 700)
    assert tower.see(story, None, P, only="server-outage") == [f"{OUTAGE} 300.020-650.004 20"]
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    assert said.startswith("10.0.0.1 did not answer from ")


def test_one_that_is_drained_in_the_end_answered_a_part(tower: Tower) -> None:
    """Its registrar is out; before its restart it refuses everything with 503."""
    story = Story()
    phones = registered(story, 4)
    for time in range(300, 500, 40):
        for number, phone in enumerate(phones):
            phone.silence(time + number, method="REGISTER")
        phones[3].call(time + 15)
    for number, phone in enumerate(phones):
        phone.told(505.004 + number, phone.ask(505 + number, P, "REGISTER", expires=3600), 503)
        phone.register(550 + number)
    end(story, 600)
    assert tower.see(story, None, P, only="server-outage") == [f"{OUTAGE} 300.000-550.004 4"]
    assert words_of(tower.report, UTC).of(tower.of("server-outage"))[0] == (
        "10.0.0.1 answered only a part of what 4 phones asked from 12:05:00 to 12:09:10.")
