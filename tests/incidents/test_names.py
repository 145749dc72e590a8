"""Names that do not resolve: phones that find no server, because DNS gives them no address."""

from __future__ import annotations

from datetime import UTC

import pytest

from sipaudit.report.incident_words import words_of
from tests.incidents.ground import Tower, end, fleet
from tests.stories import Handset, P, S, Story
from tests.traps.ground import looks_up

LISTED, NEAR = ("_sip._udp.pbx.example.com.", "SRV"), ("sbc1.example.com.", "A")
TRIES = (0.0, 1.0, 3.0)   # the times at which a resolver tries, in seconds


def asks(phone: Handset, time: float, question: tuple[str, str] = NEAR, tries: tuple[float, ...] = TRIES,
         rcode: int | None = None) -> None:
    """The phone looks up a name; there is no answer, or only this response code."""
    for later in tries:
        phone.story.lookup(time + later, phone.place, *question, rcode=rcode or 0, answered=rcode is not None)


def known(story: Story, count: int = 4) -> list[Handset]:
    """Phones that resolved P's name, with addresses valid for a minute, and registered for ten."""
    phones = fleet(story, count, granted=600, asks=600)
    for number, phone in enumerate(phones, 1):
        looks_up(phone, number - 0.5, ttl=60)
        phone.register(number)
    return phones


def cannot_find(phones: list[Handset], question: tuple[str, str] = NEAR, rcode: int | None = None) -> None:
    """From the renewal at 300 on they look up the name in vain, every 45 s until 1200; they register once it
    resolves."""
    for number, phone in enumerate(phones, 1):
        for time in range(300, 1200, 45):
            asks(phone, time + number, question, rcode=rcode)
        looks_up(phone, 1210 + number, ttl=60)
        phone.register(1210.5 + number)


@pytest.mark.parametrize("question", [LISTED, NEAR], ids=["list", "address"])
@pytest.mark.parametrize("rcode", [None, 2, 3], ids=["silent", "failing", "not there"])
def test_without_a_name_server_phones_lose_their_registrations(
    tower: Tower, question: tuple[str, str], rcode: int | None
) -> None:
    story = Story()
    cannot_find(known(story), question, rcode)
    end(story, 1300)
    found = tower.see(story)
    assert "registration-gap sbc 601.011-1214.511 4" in found
    outage = next(incident for incident in tower.report.incidents if incident.kind == "server-outage")
    assert outage.server == "10.0.0.1:5060/udp"
    assert [len(outage.lines), outage.metrics["registrations_lost"]] == [4, 4]
    assert "first lookup of its name that came to nothing" in [entry.what for entry in outage.timeline]
    said = " ".join(words_of(tower.report, UTC).of(outage))
    assert "sbc1 could not be found, since its name did not resolve, from 12:05:01 to 12:20:" in said


@pytest.mark.parametrize(("tries", "out"), [((0.0, 4.0, 8.0), False), ((0.0, 4.0, 8.0, 12.0), True)])
def test_a_fourth_query_shows_that_nobody_answers(tower: Tower, tries: tuple[float, ...], out: bool) -> None:
    """One query, or its answer, may be lost. A query more than two minutes later belongs to a new lookup."""
    story = Story()
    for number, phone in enumerate(known(story), 1):
        for time in range(300, 900, 150):
            asks(phone, time + number, tries=tries)
    end(story, 1000)
    assert any(line.startswith("server-outage") for line in tower.see(story)) is out


def test_where_others_are_served_the_server_is_there(tower: Tower) -> None:
    """Half of the phones use a dead name server; only these lose something."""
    story = Story()
    phones = known(story)
    cannot_find(phones[:2])
    for phone in phones[2:]:
        for time in range(290, 1300, 30):
            phone.told(time + 0.004, phone.ask(time, P, "OPTIONS"), 200)
        for time in range(310, 1300, 290):
            phone.register(time)
    end(story, 1400)
    assert tower.see(story) == ["registration-gap sbc 601.011-1212.511 2"]


@pytest.mark.parametrize("tries", [(0.0, 3.5), (0.0, 0.1, 0.2, 3.2), (0.0, 1.0, 2.0)])
def test_a_lookup_that_is_slow_is_none_in_vain(tower: Tower, tries: tuple[float, ...]) -> None:
    """The third or fourth query is answered; copies within half a second may come from another tap."""
    story = Story()
    for phone in known(story):
        asks(phone, 300, tries=tries)
        looks_up(phone, 304)
        phone.register(304.5)
    end(story, 400)
    assert tower.see(story) == []


def test_nor_is_one_whose_phone_goes_where_it_asked_for(tower: Tower) -> None:
    """The DNS answers take a path that the capture does not see."""
    story = Story()
    for phone in known(story):
        for time in range(300, 500, 2):
            asks(phone, time, tries=(0.0,))
            phone.told(time + 0.504, phone.ask(time + 0.5, P, "OPTIONS"), 200)
    end(story, 600)
    assert tower.see(story) == []


def test_a_phone_whose_connections_are_refused_has_no_registration_either(tower: Tower) -> None:
    """Over TCP only its SYNs are seen."""
    story = Story()
    phones = fleet(story, 3, granted=600, asks=600, transport="tcp")
    for number, phone in enumerate(phones, 1):
        phone.register(number)
        for time in range(300, 1200, 45):
            story.syn(time + number, phone.place, P)
            story.reset(time + number + 0.001, P, phone.place)
        phone.register(1210 + number)
    end(story, 1300)
    assert "registration-gap sbc 601.011-1213.011 3" in tower.see(story)


def test_that_some_do_not_find_it_is_why_they_are_not_registered(tower: Tower) -> None:
    """Their name server is dead; P serves others, and is not out."""
    story = Story()
    phones = known(story)
    cannot_find(phones[:2])
    for phone in phones[2:]:
        for time in range(310, 1300, 290):
            phone.register(time)
    end(story, 1400)
    tower.see(story)
    gap = tower.of("registration-gap")
    assert "10.0.0.1:5060/udp is not reached by 2 lines: dns" in [entry.what for entry in gap.timeline]
    said = " ".join(words_of(tower.report, UTC).of(gap))
    assert "sbc1 could not be found by them, since its name did not resolve." in said


def refreshes(phones: list[Handset], until: int = 900) -> None:
    """The phones look up the SRV list in vain every 45 s from 300 on."""
    for number, phone in enumerate(phones, 1):
        for time in range(300, until, 45):
            asks(phone, time + number, LISTED, (0.0, 1.0, 2.0, 3.0))


def test_a_list_that_is_not_found_makes_no_outage_of_a_server_that_nobody_needs(tower: Tower) -> None:
    """The name server is dead, but the phones still know P's address, and P serves them."""
    story = Story()
    phones = known(story, 6)
    refreshes(phones)
    for number, phone in enumerate(phones, 1):
        for time in (350, 600, 850, 1100):
            phone.register(time + number)
    end(story, 1300)
    assert tower.see(story) == []


def test_it_does_of_one_that_they_turn_to_since_their_own_is_dead(tower: Tower) -> None:
    story = Story()
    phones = known(story, 6)
    for number, phone in enumerate(phones, 1):
        for time in (295, 345, 395):
            phone.silence(time + number, method="REGISTER")
            asks(phone, time + number + 6, ("sbc2.example.com.", "A"), rcode=3)
        looks_up(phone, 500 + number, ttl=60)
        phone.register(501 + number)
        phone.told(510.1 + number, phone.ask(510 + number, S, "OPTIONS"), 200)
    end(story, 700)
    assert [line.split()[:2] for line in tower.see(story, only="server-outage")] == [
        ["server-outage", "10.0.0.1"], ["server-outage", "10.0.0.2"]]
