"""A server that only some phones have lost, since the link of their site is cut: others are answered throughout."""

from __future__ import annotations

from datetime import UTC

import pytest

from sipaudit.report.incident_words import words_of
from sipaudit.report.redact import Pseudonyms
from sipaudit.report.redact_report import Redaction
from sipaudit.report.verdict import sentences
from tests.incidents.ground import Tower, end, outages, registered
from tests.stories import MINUTE, R0, R2, Handset, P, S, Settings, Story
from tests.wire import ORIGIN

CUT, BACK = 300, 920


def two_sites(story: Story, apart: float = 5.0, until: float = 1300) -> list[Handset]:
    """Returns the ten phones of the site that is cut off; thirty of another go on, a message every `apart` seconds."""
    phones = registered(story, 40, apart=1.0)
    time, count = CUT - 10.0, 0
    while time < until:
        phone = phones[10 + count % 30]
        if count % 3 == 0:
            phone.call(time, seconds=3)
        elif count % 3 == 1:
            phone.register(time)
        else:
            phone.told(time + 0.004, phone.ask(time, P, "OPTIONS"), 200)
        time, count = time + apart, count + 1
    return phones[:10]


def has_lost_it(phone: Handset, number: int) -> None:
    """The phone calls in vain for ten minutes, and then gets through."""
    for late in range(0, 600, 100):
        phone.silence(CUT + number * 2 + late)
    phone.call(BACK + number)


@pytest.mark.parametrize("apart", [2.0, 5.0])
@pytest.mark.parametrize("settings", [R0, R2])
def test_who_moves_and_tries_to_return_in_vain_has_lost_it_once(tower: Tower, settings: Settings, apart: float) -> None:
    story = Story()
    for number, phone in enumerate(two_sites(story, apart)):
        phone.fail_over(CUT + number * 3, registers=settings is R2)
        for late in (120, 240, 360, 480):
            phone.silence(CUT + number * 3 + late, method="INVITE" if settings is R0 else "REGISTER")
            if settings is R0:
                phone.call(CUT + number * 3 + late + 6, S, 3)
        if settings is R0:
            phone.call(BACK + number)
        else:
            phone.register(BACK + number)
    back = "921.000" if settings is R0 else "920.004"
    assert outages(tower, story, settings) == [f"server-outage 10.0.0.1 300.000-{back} 10"]
    incident = tower.of("server-outage")
    assert incident.phones == 10
    assert "10.0.0.1:5060/udp answers other phones" in [entry.what for entry in incident.timeline]
    said = words_of(tower.report, UTC).of(incident)
    assert "did not answer 10 phones, though it answered others, from" in said[0]
    assert said[1].startswith("10 of 10 phones moved in ")   # not of the phones that had no reason to move


@pytest.mark.parametrize("apart", [2.0, 5.0, 15.0, 20.0, 30.0, 45.0])
def test_who_has_nowhere_to_go_has_lost_it_once(tower: Tower, apart: float) -> None:
    """However rarely others send something: once they are answered between two requests in vain, it shows that they had
    not lost the server before, either."""
    story = Story()
    for number, phone in enumerate(two_sites(story, apart)):
        has_lost_it(phone, number)
    assert outages(tower, story, R2) == ["server-outage 10.0.0.1 300.000-921.000 10"]
    assert words_of(tower.report, UTC).of(tower.of("server-outage"))[1] == "None of 10 phones was seen to move."
    (lost,) = [one for one in tower.report.incidents if one.kind == "calls-lost"]
    assert lost.metrics["calls_failed"] == tower.of("server-outage").metrics["calls_failed"] == 30


@pytest.mark.parametrize("apart", [20.0, 45.0])
def test_who_moves_has_lost_it_once_though_others_say_little(tower: Tower, apart: float) -> None:
    story = Story()
    for number, phone in enumerate(two_sites(story, apart)):
        phone.fail_over(CUT + number * 3)
        for late in (120, 240, 360, 480):
            phone.silence(CUT + number * 3 + late, method="REGISTER")
        phone.register(BACK + number)
    assert outages(tower, story, R2) == ["server-outage 10.0.0.1 300.000-920.004 10"]
    metrics = tower.of("server-outage").metrics
    assert (metrics["lines_moved"], metrics["lines_stayed"], metrics["time_to_recover_max"]) == (10, 30, 5.511)


def test_that_others_were_answered_is_said_of_the_shortest_outage(tower: Tower) -> None:
    story = Story()
    for number, phone in enumerate(two_sites(story, 2.0)):
        phone.silence(CUT + number, method="REGISTER")
        phone.register(CUT + 20 + number)
    assert outages(tower, story, R2)[0].startswith("server-outage 10.0.0.1 300.000-")
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    assert "did not answer 10 phones, though it answered others, from" in said


@pytest.mark.parametrize("apart", [2.0, 5.0])
def test_those_whose_calls_alone_run_out_have_lost_those_once(tower: Tower, apart: float) -> None:
    """A firewall drops packets as long as an INVITE: their REGISTERs are answered throughout."""
    story = Story()
    for number, phone in enumerate(two_sites(story, apart)):
        for late in range(0, 600, 100):
            phone.silence(CUT + number * 2 + late)
            phone.register(CUT + 50 + number * 2 + late)
        phone.call(BACK + number)
    assert outages(tower, story, R2) == ["partial-outage 10.0.0.1 300.000-921.000 10"]
    said = words_of(tower.report, UTC).of(tower.of("partial-outage"))[0]
    assert "let the calls of 10 phones run out, though it took those of others, from" in said


def test_whoever_was_served_since_and_is_not_now_tells_of_another_outage(tower: Tower) -> None:
    """The server is out for a moment: others are answered seconds later."""
    story = Story()
    phones = registered(story, 30, apart=1.0)
    for number, phone in enumerate(phones[:5]):
        phone.silence(CUT + number)
    for time in (*range(360, 700, 10), *range(704, 1200, 10)):
        phones[5 + time // 10 % 25].call(time, seconds=3)
    for number in (0, 1):
        phones[5 + number].silence(700 + number * 2)
    starts = [line.split()[2].partition("-")[0] for line in outages(tower, story, R2)]
    assert starts == ["300.000", "700.000"]


def test_behind_one_address_they_are_the_same_phones(tower: Tower) -> None:
    story = Story()
    phones = two_sites(story)
    for number, phone in enumerate(phones):
        phone.place, phone.agent = ("192.0.2.1", 20_000 + number), f"{phone.agent}_00041300000{number}"
        phone.register(100 + number)
        has_lost_it(phone, number)
    assert outages(tower, story, R2) == ["server-outage 10.0.0.1 300.000-921.000 10"]


def test_they_find_out_one_after_the_other(tower: Tower) -> None:
    story = Story()
    for number, phone in enumerate(two_sites(story)):
        phone.fail_over(CUT + number // 2 * 120 + number % 2 * 10)
        phone.register(BACK + number)
    assert outages(tower, story, R2) == ["server-outage 10.0.0.1 300.000-920.004 10"]


@pytest.mark.parametrize("answered", [False, True])
def test_two_losses_stay_two(tower: Tower, answered: bool) -> None:
    """In between, those concerned were answered, or more than ten minutes passed."""
    story = Story()
    phones = two_sites(story, until=1600)
    again = 500 if answered else 1100
    for number, phone in enumerate(phones):
        for late in (0, 40):
            phone.silence(CUT + number + late)
            phone.silence(again + number + late)
        if answered:
            phone.call(400 + number, seconds=3)
        phone.register(1300 + number)
    starts = [float(line.split()[2].partition("-")[0]) for line in outages(tower, story, R2)]
    assert starts == [CUT, again]


def test_the_whole_server_that_is_out_twice_was_out_twice(tower: Tower) -> None:
    """Nobody is answered during the outages, and the phones that met the first have sent nothing between them."""
    story = Story()
    phones = registered(story, 20, apart=1.0)
    for cut in (300, 600):
        for number, phone in enumerate(phones[:5]):
            phone.silence(cut + number, method="REGISTER")
        for number, phone in enumerate(phones[5:]):
            phone.register(cut + 60 + number)
    assert outages(tower, story, R2) == ["server-outage 10.0.0.1 300.000-360.004 5",
                                         "server-outage 10.0.0.1 600.000-660.004 5"]


def test_who_asks_no_more_ends_it_with_the_next_answer_to_anybody(tower: Tower) -> None:
    story = Story()
    for number, phone in enumerate(two_sites(story, until=1600)):
        for late in (0, 60):
            phone.silence(CUT + number + late, method="REGISTER")
    (told,) = outages(tower, story, R2)
    assert told.split()[2] == "300.000-370.004"


def test_until_then_it_is_open(tower: Tower) -> None:
    story = Story()
    for number, phone in enumerate(two_sites(story, until=800)):
        for late in (0, 60):
            phone.silence(CUT + number + late, method="REGISTER")
    (told,) = [line for line in tower.see(story, {**R2, **MINUTE}) if "outage" in line]
    assert told == "server-outage 10.0.0.1 300.000- 10"


def test_how_they_have_lost_it_is_said(tower: Tower) -> None:
    """A router no longer has a route to the server."""
    story = Story()
    for number, phone in enumerate(two_sites(story)):
        for late in range(0, 600, 100):
            asked = phone.ask(CUT + number * 2 + late, P, "REGISTER", expires=3600)
            story.unreachable(CUT + number * 2 + late + 0.02, asked.packet, P, phone.place)
        phone.register(BACK + number)
    assert outages(tower, story, R2) == ["server-outage 10.0.0.1 300.000-920.004 10"]
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    assert "could not be reached by 10 phones, though others reached it, from" in said


@pytest.mark.parametrize("again", [(), (620, 720, 820)])
def test_a_whole_outage_within_is_one_with_it(tower: Tower, again: tuple[int, ...]) -> None:
    """The server is out for a while; that others are answered afterwards ends nothing for the site that is still cut
    off."""
    story = Story()
    phones = registered(story, 40, apart=1.0)
    for time in range(290, 500, 5):
        phones[10 + time // 5 % 30].register(time)
    for number, phone in enumerate(phones[10:25]):
        phone.silence(500 + 5 * number, method="REGISTER")
    for time in range(600, 1300, 5):
        phones[10 + time // 5 % 30].register(time)
    for number, phone in enumerate(phones[:10]):
        for time in (300, 400, 500, *again):
            phone.silence(time + number * 2, method="REGISTER")
        phone.call(920 + number, seconds=3)
    assert outages(tower, story, R2) == ["server-outage 10.0.0.1 300.000-921.000 25"]
    incident = tower.of("server-outage")
    entries = [(entry.time - ORIGIN, entry.what) for entry in incident.timeline]
    assert (600.004, "10.0.0.1:5060/udp answers 15 of them again") in [(round(time, 3), what) for time, what in entries]
    assert "It answered 15 of them again from 12:10:00 on." in words_of(tower.report, UTC).of(incident)
    hidden = Redaction(Pseudonyms(b"k" * 32)).report(tower.report)
    assert "It answered 15 of them again from 12:10:00 on." in " ".join(sentences(hidden, UTC))


@pytest.mark.parametrize("both", [False, True])
def test_a_site_that_reaches_neither_server_is_told(tower: Tower, both: bool) -> None:
    """The site's link is cut, and nobody else notices. Or it has lost the first server only."""
    story = Story()
    for number, phone in enumerate(two_sites(story)):
        for late in range(0, 600, 120):
            time = phone.silence(CUT + number * 2 + late, method="REGISTER")
            if both:
                phone.silence(time, S, "REGISTER")
            else:
                phone.register(time, S)
        phone.register(BACK + number)
        phone.register(BACK + 20 + number, S)
    outages(tower, story, R2)
    said = " ".join(sentences(tower.report, UTC))
    assert ("No server of sbc was left to 10 phones from 12:05:05 to 12:15:" in said) is both
    assert "the network between may have failed" in said or not both


@pytest.mark.parametrize("after", [30, 200])
def test_when_it_came_to_concern_another_site_is_told(tower: Tower, after: int) -> None:
    """First the link of one site is cut, and then the server dies. A site whose first request in vain comes within a
    minute may have lost the server at the same time."""
    story = Story()
    phones = registered(story, 12)
    for number, phone in enumerate(phones[:6]):
        for late in range(0, 400, 100):
            phone.silence(300 + number + late, method="REGISTER")
    for time in range(300, 300 + after, 10) if after == 200 else ():
        phones[6 + time // 10 % 6].register(time)
    for number, phone in enumerate(phones[6:]):
        phone.silence(300 + after + number, method="REGISTER")
    for number, phone in enumerate(phones):
        phone.register(720 + number)
    end(story, 800)
    groups = [{"match": {"user": f"10{users}"}, "entry": "sbc", "group": group, "settings": R2}
              for users, group in (("0[1-6]", "Branch"), ("*", "Head office"))]
    tower.see(story, lines=groups)
    told = [(entry.time - ORIGIN, entry.what) for entry in tower.of("server-outage").timeline
            if entry.what.startswith("first request of ")]
    assert told == ([(500.0, "first request of Head office that came to nothing")] if after == 200 else [])


def test_who_was_answered_again_while_it_went_on_for_others_does_not_end_it_later(tower: Tower) -> None:
    """For a minute in between, the server was out for all; phones that had not been served since the link was cut
    seemed to have lost it from the beginning."""
    story = Story()
    for number, phone in enumerate(two_sites(story)):
        for late in range(0, 600, 100):
            phone.silence(CUT + number * 8 + late)
        phone.call(BACK + number)
    for number, phone in enumerate(registered(story, 5, first=1051)):
        phone.silence(402 + number, method="REGISTER")
        phone.register(440 + number)
        phone.register(778 + number)
    assert outages(tower, story, R2) == ["server-outage 10.0.0.1 300.000-921.000 15"]
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))
    assert said[1] == "It answered 5 of them again from 12:07:20 on."


def test_it_goes_on_though_only_one_of_few_phones_asks_again(tower: Tower) -> None:
    """The others stay at S for longer."""
    story = Story()
    phones = two_sites(story)[:3]
    for number, phone in enumerate(phones):
        phone.register(phone.silence(300 + 7 * number, method="REGISTER"), S)
    phones[0].silence(366, method="REGISTER")
    for number, phone in enumerate(phones):
        phone.register(395 + number)
    assert outages(tower, story, R2) == ["server-outage 10.0.0.1 300.000-395.004 3"]


def test_of_a_site_whose_registers_run_out_it_ends_with_the_first_that_is_answered(tower: Tower) -> None:
    """A firewall lets its calls pass, and they are answered throughout (R0). That a phone could call before its renewal
    was due does not mean that it lost the server only later."""
    story = Story()
    phones = registered(story, 20, apart=1.0, granted=300)
    for time in range(300, 1100, 15):
        phones[10 + time // 15 % 10].register(time + 7)
    for number, phone in enumerate(phones[:10]):
        for time in range(310 + 20 * number if number < 2 else 430 + 20 * number, 800, 60 if number < 2 else 200):
            phone.call(time - 20, P, 5.0)
            phone.register(phone.silence(time, P, "REGISTER"), S)
            phone.call(time + 30, P, 5.0)
    for number, phone in enumerate(reversed(phones[:10])):
        phone.register(860 + 15 * number, P)
    end(story, 1100)
    assert tower.see(story, {**R0}, only="server-outage") == ["server-outage 10.0.0.1 310.000-860.004 10"]
