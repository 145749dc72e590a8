"""A server that answers some requests, and drops the others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC

import pytest

from sipaudit.report.incident_words import words_of
from tests.incidents.ground import Tower, end, outages, registered
from tests.stories import R0, R2, Handset, P, S, Settings, Story

FAULT, WELL = 300, 900
NOTHING_LOST = frozenset[int]()


def asked(story: Story, lost: dict[int, frozenset[int]], until: int = 1300) -> None:
    """Twenty phones, one call every five seconds, so each calls every hundred; `lost` says when calls of which phones
    time out."""
    phones = registered(story, 20, apart=1.0)
    for time in range(FAULT, until, 5):
        number = (time - FAULT) // 5 * 7 % 20
        if number in lost.get(time, NOTHING_LOST):
            phones[number].silence(time)
        else:
            phones[number].call(time, seconds=3)


def at_random(seed: int, share: float) -> dict[int, frozenset[int]]:
    chance = random.Random(seed)
    return {time: frozenset(range(20)) for time in range(FAULT, WELL, 5) if chance.random() < share}


def always(*spans: tuple[int, int, range]) -> dict[int, frozenset[int]]:
    return {time: frozenset(phones) for start, end, phones in spans for time in range(start, end, 5)}


@pytest.mark.parametrize("settings", [R0, R2])
@pytest.mark.parametrize("seed", range(6))
def test_what_drops_requests_at_random_is_one_incident(tower: Tower, seed: int, settings: Settings) -> None:
    """Now and then somebody is answered, and ten seconds pass with no request in vain: that ends nothing."""
    story = Story()
    lost = at_random(seed, 0.5)
    asked(story, lost)
    (first, last) = min(lost), max(lost)
    (said,) = outages(tower, story, settings)
    start, _, over = said.split()[2].partition("-")
    assert float(start) - first < 30
    assert -30 < float(over) - last < 30   # at its edges there may be a single request in vain
    incident = tower.of("server-outage")
    whom = words_of(tower.report, UTC).of(incident)[0]
    assert f"answered only a part of what {incident.phones} phones asked from " in whom
    assert "10.0.0.1:5060/udp answers some requests, and others not" in [entry.what for entry in incident.timeline]


@pytest.mark.parametrize("lost", [
    always((300, 360, range(20)), (600, 660, range(20))),                          # it restarts twice
    always((300, 500, range(8)), (700, 900, range(8))),                            # the link of one site is cut twice
    always((300, 500, range(8)), (600, 800, range(8, 16))),                        # the links of two sites, each once
], ids=["restarts", "one link twice", "two links"])
def test_what_comes_twice_is_two(tower: Tower, lost: dict[int, frozenset[int]]) -> None:
    story = Story()
    asked(story, lost)
    assert len(outages(tower, story, R2)) == 2
    assert not any("a part of" in sentence for incident in tower.report.incidents
                   for sentence in words_of(tower.report, UTC).of(incident))


def test_a_server_that_is_gone_after_it_had_dropped_some_is_out_by_itself(tower: Tower) -> None:
    story = Story()
    asked(story, {**at_random(1, 0.5), **always((1000, 1120, range(20)))})
    assert len(outages(tower, story, R2)) == 2
    said = [words_of(tower.report, UTC).of(one)[0] for one in tower.report.incidents if one.kind == "server-outage"]
    assert [("a part of" in sentence, "did not answer" in sentence) for sentence in said] == [
        (True, False), (False, True)]
    assert P[0] in said[1]


def asking(phones: list[Handset], turns: int) -> Iterator[tuple[int, int, float, Handset]]:
    """Yields turn, number of the phone, time and phone: each phone at its time in each turn."""
    for turn in range(turns):
        for number, phone in enumerate(phones):
            yield turn, number, 300 + 30 * turn + 2.5 * number, phone


def test_what_a_phone_asked_in_vain_before_it_was_answered_does_not_lengthen_how_long_it_took(tower: Tower) -> None:
    """Every other request is lost. Six phones ask in vain, are answered, ask in vain again, and then leave."""
    story = Story()
    phones = registered(story, 12)
    for turn, number, time, phone in asking(phones, 3):
        if (number + turn) % 2:
            phone.register(time)
            continue
        given_up = phone.silence(time, method="REGISTER")
        if turn == 2:
            phone.register(given_up, S)
    for number, phone in enumerate(phones):
        phone.register(420 + number)
    end(story, 600)
    assert tower.see(story, only="server-outage") == ["server-outage 10.0.0.1 300.000-387.504 12"]
    metrics = tower.of("server-outage").metrics
    assert (metrics["lines_moved"], metrics["time_to_detect_max"], metrics["time_to_recover_max"]) == (6, 5.5, 5.511)


def test_what_is_challenged_in_time_is_answered_by_turns_too(tower: Tower) -> None:
    """Even before the 200, a 401 shows that the server answers a phone's REGISTERs. Every third one is lost."""
    story = Story()
    phones = registered(story, 12)
    for turn, number, time, phone in asking(phones, 6):
        if (number + turn) % 3:
            phone.register(time)
        else:
            phone.silence(time, method="REGISTER")
    end(story, 600)
    tower.see(story, only="server-outage")
    assert words_of(tower.report, UTC).of(tower.of("server-outage"))[0].startswith(
        "10.0.0.1 answered only a part of what 12 phones asked from ")


def test_of_one_that_answered_some_whom_it_left_alone_later_it_is_not_said_that_it_did_not_answer(tower: Tower) -> None:
    """The server goes up and down. Two phones never ask while it is up; all others were served in between."""
    story = Story()
    phones = registered(story, 8)
    for number in (0, 1):
        for time in (300, 400, 470):
            phones[number].silence(time + number, method="REGISTER")
    for number, phone in enumerate(phones[2:]):
        phone.register(340 + 5 * number)
        if number < 4:
            phone.silence(390 + 5 * number, method="REGISTER")
        else:
            phone.told(440.004, phone.ask(440, P, "OPTIONS"), 200)
            phone.silence(475, method="REGISTER")
    for number, phone in enumerate(phones):
        phone.register(520 + number)
    end(story, 600)
    assert tower.see(story, only="server-outage") == ["server-outage 10.0.0.1 300.000-520.004 8"]
    assert words_of(tower.report, UTC).of(tower.of("server-outage"))[0] == (
        "10.0.0.1 answered only a part of what 8 phones asked from 12:05:00 to 12:08:40.")


@pytest.mark.parametrize("seed", [5, 7, 8, 11, 12, 15])
def test_who_was_answered_between_detects_it_anew(tower: Tower, seed: int) -> None:
    """One incident that began as several: a phone that was answered during one of them, having asked nothing in vain in
    it, starts to detect anew all the same. Every phone calls each 100 s; half of the first, third and fifth of these
    calls are dropped, and a phone leaves with its last dropped one."""
    story = Story()
    phones = registered(story, 20, apart=1.0)
    lost = [time for time in at_random(seed, 0.5) if (time - FAULT) // 100 % 2 == 0]
    last = {(time - FAULT) // 5 * 7 % 20: time for time in lost}
    for time in range(FAULT, WELL, 5):
        number = (time - FAULT) // 5 * 7 % 20
        if time in lost:
            gave_up = phones[number].silence(time)
            if last[number] == time:
                phones[number].register(gave_up, S)
        elif time < last.get(number, time + 1):
            phones[number].call(time, seconds=3)
    outages(tower, story, R2)
    found = [one.metrics for one in tower.report.incidents if one.kind == "server-outage"]
    assert {metrics["time_to_detect_max"] for metrics in found} == {5.5}
