"""A server that answers REGISTERs and lets calls time out."""

from __future__ import annotations

from datetime import UTC

import pytest

from sipaudit.report.incident_words import words_of
from tests.incidents.ground import Tower, end, registered
from tests.stories import CHALLENGE, CREDENTIALS, Handset, P, S, Story
from tests.wire import ORIGIN


def calls_run_out(story: Story, phones: list[Handset], *, registers: bool = True) -> None:
    phones[0].silence(300)
    if registers:
        phones[2].register(310)
    phones[1].silence(320)


def test_a_server_that_registers_and_lets_calls_run_out_is_out_in_part(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 3)
    calls_run_out(story, phones)
    phones[2].call(400)
    assert tower.see(story) == ["calls-lost 10.0.0.1 300.000-400.003 2", "partial-outage 10.0.0.1 300.000-400.003 2"]


@pytest.mark.parametrize("registers", [False, True])
def test_it_takes_a_registration_between_two_calls(tower: Tower, registers: bool) -> None:
    story = Story()
    phones = registered(story, 3)
    calls_run_out(story, phones, registers=registers)
    phones[2].call(400)
    kinds = [line.split()[0] for line in tower.see(story)]
    assert ("partial-outage" in kinds) is registers
    assert ("server-outage" in kinds) is not registers


def test_it_takes_two_calls_and_none_that_is_answered(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 30)
    phones[0].silence(300)
    phones[2].register(310)
    phones[3].call(315)
    phones[0].silence(320)
    phones[2].register(330)
    assert tower.see(story) == []


@pytest.mark.parametrize(("registers", "seen"), [(2, []), (0, ["partial-outage"])])
def test_where_one_phone_alone_hears_nothing_its_own_registration_shows_it(
    tower: Tower, registers: int, seen: list[str]
) -> None:
    """Another phone's registration may have taken a path that works."""
    story = Story()
    phones = registered(story, 3)
    phones[0].silence(300)
    phones[registers].register(310)
    phones[0].silence(320)
    phones[2].register(400)
    assert [line.split()[0] for line in tower.see(story) if "calls-lost" not in line] == seen


@pytest.mark.parametrize("phones", [1, 3])
@pytest.mark.parametrize("keeps", ["REGISTER", "OPTIONS"])
def test_calls_that_run_out_again_and_again_are_one_outage(tower: Tower, phones: int, keeps: str) -> None:
    """A call in vain every 45 s, and two other answers in between: with one phone, each call alone looks like a dead
    server."""
    story = Story()
    known = registered(story, phones)
    for time in range(300, 600, 45):
        for number, phone in enumerate(known):
            phone.silence(time + number)
        for wait in (15, 30):
            if keeps == "REGISTER":
                known[0].register(time + wait)
            else:
                known[0].told(time + wait + 0.004, known[0].ask(time + wait, P, "OPTIONS"), 200)
    known[0].call(650)
    assert tower.see(story, only="partial-outage") == [f"partial-outage 10.0.0.1 300.000-650.003 {phones}"]
    assert tower.see(story, only="server-outage") == []


def test_a_call_that_comes_through_between_is_seen_though_those_in_vain_are_late_to_show(tower: Tower) -> None:
    """The server lets some calls time out, and takes others."""
    story = Story()
    phones = registered(story, 10)
    phones[0].silence(300)
    phones[1].call(306, seconds=3)
    phones[2].register(310)
    phones[3].silence(320)
    phones[4].register(330)
    phones[5].call(360, seconds=3)
    end(story, 500)
    assert tower.see(story, only="partial-outage") == []
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    assert "did not answer 2 phones, though it answered others, from 12:05:00 to " in said


def test_an_outage_of_all_that_follows_one_of_calls_is_told(tower: Tower) -> None:
    """After the partial outage calls are answered again; then nothing is."""
    story = Story()
    (phone,) = registered(story, 1)
    for time in (300, 345):
        phone.silence(time)
        phone.register(time + 20)
    phone.call(400)
    phone.silence(700)
    phone.silence(730, method="REGISTER")
    phone.register(800)
    story.murmur(850, 860)
    assert [line for line in tower.see(story) if "outage" in line] == [
        "partial-outage 10.0.0.1 300.000-400.003 1", "server-outage 10.0.0.1 700.000-800.004 1"]


def test_a_server_that_comes_back_without_its_calls_registers(tower: Tower) -> None:
    """The server is out altogether; then it answers REGISTERs again, but lets calls time out. Some callers have not
    registered anew by then: that their earlier REGISTERs timed out is no evidence about the present."""
    story = Story()
    phones = registered(story, 12)
    for number, phone in enumerate(phones):
        for time in (300, 345, 390):
            phone.silence(time + number, method="REGISTER")
        phone.register(420 + 4 * number)
    for turn in range(8):
        for number in (11 - turn, (turn + 3) % 12):
            phones[number].silence(432 + 12 * turn + number / 10)
    phones[0].call(560)
    end(story, 600)
    told = [line for line in tower.see(story) if "outage" in line]
    assert [line.split()[0] for line in told] == ["server-outage", "partial-outage"]
    assert told[1].startswith("partial-outage 10.0.0.1 432.300-560.003")


@pytest.mark.parametrize("goes_on", [False, True])
def test_when_it_became_one_of_all_is_told(tower: Tower, goes_on: bool) -> None:
    """Calls time out from 300 on, and everything from 420 on; or only one REGISTER does, and others are answered."""
    story = Story()
    phones = registered(story, 6)
    for turn in range(6):
        phones[turn].silence(300 + 20 * turn)
        phones[(turn + 3) % 6].register(310 + 20 * turn)
    phones[0].silence(420, method="REGISTER")
    for turn in range(1, 6):
        if goes_on:
            phones[turn].register(420 + 20 * turn)
        else:
            phones[turn].silence(420 + 20 * turn, method="REGISTER")
    for phone in phones:
        phone.silence(530)
    for number, phone in enumerate(phones):
        phone.register(600 + number)
        phone.call(620 + number)
    end(story, 700)
    (told,) = [line for line in tower.see(story) if "outage" in line]
    assert told == ("partial-outage 10.0.0.1 300.000-620.003 6" if goes_on else
                    "server-outage 10.0.0.1 300.000-600.004 6")
    outage = tower.of(told.split()[0])
    said = words_of(tower.report, UTC).of(outage)[0]
    total = [entry.time - ORIGIN for entry in outage.timeline if entry.what.endswith(" answers nothing any more")]
    assert total == ([] if goes_on else [420.0])
    assert said.startswith("10.0.0.1 let calls run out from 12:05:00 on, and did not answer at all from 12:07:00 to "
                           "12:10:00.") is not goes_on


@pytest.mark.parametrize(("method", "late", "said"), [
    (None, None, "let calls run out from 12:05:00 on, and did not answer at all from 12:05:30 to 12:10:00"),
    ("OPTIONS", None, "answered nothing but OPTIONS from 12:05:00 to 12:10:00"),
    ("REGISTER", None, "did not answer 8 phones, though it answered others, from 12:05:00 to 12:10:00"),
    (None, 6.5, "answered 8 phones too late (after 6.5 s, median), though it answered others, from 12:05:00 to 12:"),
])
def test_one_that_answers_something_or_somebody_later_did_not_become_silent(
    tower: Tower, method: str | None, late: float | None, said: str
) -> None:
    """Calls time out while the last phone is answered; soon REGISTERs do, too, but the last phone may be answered."""
    story = Story()
    phones = registered(story, 20)
    before = "REGISTER" if method is None else method
    times = [303 + 6 * turn for turn in range(5)] + [365 + 3 * turn for turn in range(75) if method is not None]
    for time in times:
        phones[19].told(time + 0.01, phones[19].ask(time, P, before, expires=3600), 200,
                        headers=f"Contact: <{phones[19].contact}>;expires=3600\r\n")
    for turn, phone in enumerate(phones[:5]):
        phone.silence(300 + 6 * turn)
    for start in (330, 350, 390, 450, 510) if late is None else (330, 338):
        for number, phone in enumerate(phones[:8]):
            sent = start + number / 2
            asked = phone.ask(sent, P, "REGISTER", expires=3600)
            for after in (0.5, 1.5, 3.5):
                phone.again(sent + after, asked)
            if late is not None:
                phone.told(sent + late, asked, 401, headers=CHALLENGE)
    for number, phone in enumerate(phones):
        phone.register(600 + number)
    end(story, 700)
    tower.see(story, None, P)
    outage = tower.of("server-outage")
    assert words_of(tower.report, UTC).of(outage)[0].startswith(f"10.0.0.1 {said}")
    silent = any(entry.what.endswith(" answers nothing any more") for entry in outage.timeline)
    assert silent is ("did not answer at all" in said)


def test_who_turned_away_before_it_began_is_none_of_it(tower: Tower) -> None:
    """A call of 1001 times out, and later one of 1004 succeeds: an outage that begins about then is another matter,
    although S registers 1001 during it."""
    story = Story()
    phones = registered(story, 46)
    for number, phone in enumerate(phones[6:]):   # too many for an outage of the whole server
        phone.register(260 + number)
    turned = phones[0].silence(290)
    asked = phones[0].ask(turned, S, "REGISTER", expires=3600, headers=CREDENTIALS)
    phones[0].told(297.3, asked, 200, headers=f"Contact: <{phones[0].contact}>;expires=3600\r\n")
    phones[3].call(297.4)
    for number, phone in enumerate(phones[1:3]):
        phone.register(phone.silence(297 + 2 * number), S)
    phones[4].register(298.5)
    phones[5].call(330)
    end(story, 400)
    assert tower.see(story, only="partial-outage")[0].startswith("partial-outage 10.0.0.1 297.000-330.003 ")
    incident = tower.of("partial-outage")
    times = {entry.what.partition(":")[0]: entry.time - ORIGIN for entry in incident.timeline}
    assert times["first line turns to another server"] == 302.5
    assert (incident.metrics["lines_moved"], incident.metrics["time_to_detect_p50"]) == (2, 5.5)
