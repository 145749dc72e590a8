"""A server that answers later than its phones wait: to them it is out, yet it is not dead."""

from __future__ import annotations

from datetime import UTC

import pytest
from msgspec.structs import replace

from sipaudit.incidents.course import (
    ANSWERS_AGAIN,
    HUNG,
    NOTHING,
    OTHER_PHONES,
    OTHER_REQUESTS,
    OTHERS,
    PINGED,
    too_late,
)
from sipaudit.model.values import Happening
from sipaudit.report.incident_words import words_of
from sipaudit.report.redact import Pseudonyms
from sipaudit.report.redact_report import Redaction
from sipaudit.report.verdict import sentences
from tests.incidents.ground import Tower, end, gives_up, registered
from tests.stories import P, S, Story


@pytest.mark.parametrize(("answered", "said"), [
    (10, "10.0.0.1 answered too late (after 6.5 s, median) from 12:05:00 to 12:"),
    (5, "10.0.0.1 answered too late (after 6.5 s, median) from 12:05:00 to 12:"),
    (4, "10.0.0.1 did not answer from 12:05:00 to 12:"),
    (0, "10.0.0.1 did not answer from 12:05:00 to 12:"),
])
def test_a_slow_server_is_said_to_be_slow(tower: Tower, answered: int, said: str) -> None:
    story = Story()
    phones = registered(story, 12)
    for number, phone in enumerate(phones[:10]):
        gives_up(story, phone, 300 + 2 * number, 6.5 if number < answered else None)
    phones[11].register(400)
    end(story, 500)
    tower.see(story, only="server-outage")
    assert words_of(tower.report, UTC).of(tower.of("server-outage"))[0].startswith(said)
    entries = [entry.what for entry in tower.of("server-outage").timeline]
    assert ("10.0.0.1:5060/udp answers too late, after 6.5 s (median)" in entries) is (answered >= 5)


def test_of_some_phones_alone_that_others_were_answered_is_said_too(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 40, apart=1.0)
    for number, phone in enumerate(phones[:10]):
        for turn in range(3):
            gives_up(story, phone, 300 + 2 * number + 60 * turn, 8.0)
    for time in range(300, 500, 3):
        phones[10 + time // 3 % 30].register(time)
    end(story, 600)
    tower.see(story)
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    assert "answered 10 phones too late (after 8.0 s, median), though it answered others, from " in said


def test_how_many_it_concerned_at_most_is_said_of_several(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 40, apart=1.0)
    for turn, lost in enumerate((10, 6, 8)):
        for number, phone in enumerate(phones[:lost]):
            gives_up(story, phone, 300 + 150 * turn + 2 * number, 8.0)
            phone.register(350 + 150 * turn + number)
    for time in range(300, 800, 3):
        phones[10 + time // 3 % 30].register(time)
    end(story, 900)
    assert len(tower.see(story, only="server-outage")) == 3
    said = "10.0.0.1 answered up to 10 phones too late (after 8.0 s, median), though it answered others, three times "
    assert sentences(tower.report, UTC)[0].startswith(said)


@pytest.mark.parametrize("resumed", [True, False])
def test_one_that_was_frozen_was_not_slow(tower: Tower, resumed: bool) -> None:
    """Its process resumes after a minute and answers all that is queued. If each answer takes the same time instead,
    the server is slow."""
    story = Story()
    phones = registered(story, 14)
    for number, phone in enumerate(phones[:12]):
        gives_up(story, phone, 300 + 4.5 * number, 62 - 4.3 * number if resumed else 8.0)
    phones[13].register(420)
    end(story, 500)
    tower.see(story)
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))
    assert said[0].startswith("10.0.0.1 did not answer from 12:05:00 to 12:06:02") is resumed
    assert said[0].startswith("10.0.0.1 answered too late (after ") is not resumed
    assert ("Then it answered at once what it had been asked meanwhile, as one does that hung." in said) is resumed


@pytest.mark.parametrize(("in_time", "spans"), [
    (False, ["300.000-526.500"]),
    (True, ["300.000-406.500", "420.000-526.500"]),
])
def test_one_that_is_slow_all_the_time_is_slow_once(tower: Tower, in_time: bool, spans: list[str]) -> None:
    """Each answer comes more than ten seconds before the next request, but being late it ends nothing. Nor does an
    OPTIONS that is answered at once."""
    story = Story()
    phones = registered(story, 14)
    for number, phone in enumerate(phones[:12]):
        gives_up(story, phone, 300 + 20 * number, 6.5, calls=number % 2 == 0)
    asked = phones[12].ask(412, P, "OPTIONS")
    phones[12].told(412.01, asked, 200)
    if in_time:
        phones[12].register(413)
    phones[13].register(600)
    end(story, 700)
    assert [line.split()[2] for line in tower.see(story, only="server-outage")] == spans


@pytest.mark.parametrize("group", [None, "phones", "late"])
def test_a_redacted_report_says_the_same(tower: Tower, group: str | None) -> None:
    """Even if a group's name is a word that timelines use."""
    story = Story()
    phones = registered(story, 40, apart=1.0)
    for number, phone in enumerate(phones[:10]):
        gives_up(story, phone, 300 + 2 * number, 8.0)
    for time in range(300, 500, 3):
        phones[10 + time // 3 % 30].register(time)
    end(story, 600)
    tower.see(story)
    plain = replace(tower.report, lines=[replace(line, group=group) for line in tower.report.lines])
    hidden = Redaction(Pseudonyms(b"k" * 32)).report(plain)
    assert " answered 10 phones too late (after 8.0 s, median), though it answered others, from " in sentences(
        hidden, UTC)[0]


def test_what_users_wrote_of_a_known_event_is_not_taken_for_what_was_seen(tower: Tower) -> None:
    story = Story()
    for number, phone in enumerate(registered(story, 5)):
        gives_up(story, phone, 300 + number, None)
    end(story, 400)
    tower.see(story)
    outage = tower.of("server-outage")
    written = [Happening(outage.start + 60, f"known: the server{told}") for told in (
        ANSWERS_AGAIN, OTHERS, PINGED, OTHER_REQUESTS, OTHER_PHONES, HUNG, NOTHING, too_late("", 6.5))]
    words = words_of(tower.report, UTC)
    assert words.of(replace(outage, timeline=[*outage.timeline, *written])) == words.of(outage)


@pytest.mark.parametrize(("until", "dead"), [(500, True), (430, False)])
def test_a_slow_server_that_dies_is_said_to(tower: Tower, until: int, dead: bool) -> None:
    """The last requests before it recovers may have been answered as late as all before."""
    story = Story()
    phones = registered(story, 12)
    for number, phone in enumerate(phones[:10]):
        gives_up(story, phone, 300 + 2 * number, 8.0)
        for time in range(400 + number, until, 30):
            phone.silence(time, method="REGISTER")
    phones[11].register(520)
    end(story, 640)
    tower.see(story, only="server-outage")
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    span = "on, and did not answer at all from 12:06:40 to" if dead else "to"
    assert said == f"10.0.0.1 answered too late (after 8.0 s, median) from 12:05:00 {span} 12:08:40."


def test_what_was_answered_late_and_in_time_for_its_phone_is_not_why_it_left(tower: Tower) -> None:
    """The server gets slower: what the phone gave up on is a later request, sent half a minute after this one."""
    story = Story()
    phones = registered(story, 6)
    for number, phone in enumerate(phones):
        asked = phone.ask(300 + number, P, "REGISTER", expires=3600)
        for after in (0.5, 1.5, 3.5):
            phone.again(300 + number + after, asked)
        phone.told(304.5 + number, asked, 200, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
        phone.register(phone.silence(330 + number, method="REGISTER"), S)
    for number, phone in enumerate(phones):
        phone.register(420 + number)
    end(story, 500)
    tower.see(story)
    metrics = tower.of("server-outage").metrics
    assert (metrics["time_to_detect_max"], metrics["time_to_recover_max"], metrics["lines_moved"]) == (5.5, 5.511, 6)


def test_how_long_a_call_rings_does_not_count_as_lateness(tower: Tower) -> None:
    """Every call is answered by the callee 20 s after the server's first response."""
    story = Story()
    for number, phone in enumerate(registered(story, 6)):
        time = 300 + 2 * number
        asked = phone.ask(time, P, "INVITE")
        for after in (0.5, 1.5, 3.5):
            phone.again(time + after, asked)
        phone.told(time + 4, asked, 100)
        phone.told(time + 4.1, asked, 180)
        phone.told(time + 24, asked, 200)
        phone.register(400 + number)
    end(story, 500)
    tower.see(story)
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    assert said.startswith("10.0.0.1 answered too late (after 4.0 s, median) from ")


@pytest.mark.parametrize("goes", [True, False])
def test_what_is_sent_again_until_the_server_is_back_is_not_answered_too_late(tower: Tower, goes: bool) -> None:
    """The link of all phones is cut for 15 s. If they have nowhere else to go, each answer is one to a retransmission
    of a moment ago. If a phone has gone elsewhere by then, it was answered too late."""
    story = Story()
    phones = registered(story, 12)
    for number, phone in enumerate(phones[:10]):
        asked, after = phone.ask(300 + number, P, "INVITE"), [0.5, 1.5, 3.5]
        while number + after[-1] < 15:
            after.append(after[-1] + 4)
        for wait in after:
            phone.again(300 + number + wait, asked)
        if goes:
            phone.register(300 + number + 5, S)
        phone.told(300 + number + after[-1] + 0.004, asked, 486)
    phones[11].register(400)
    end(story, 500)
    tower.see(story, only="server-outage")
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))
    assert said[0].startswith("10.0.0.1 answered too late (after ") is goes
    assert said[0].startswith("10.0.0.1 did not answer from 12:05:00 to 12:05:15.") is not goes
    assert not any("hung" in sentence for sentence in said)
