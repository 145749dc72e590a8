"""A server that refuses many: five 503 in ten seconds."""

from __future__ import annotations

from datetime import UTC

import pytest

from sipaudit.report.incident_words import words_of
from tests.incidents.ground import Tower, end, registered
from tests.stories import Handset, P, Story
from tests.wire import ORIGIN


def refuses(story: Story, phones: list[Handset], times: list[float]) -> None:
    for index, time in enumerate(times):
        phone = phones[index % len(phones)]
        phone.told(time + 0.01, phone.ask(time, P, "INVITE"), 503)


@pytest.mark.parametrize(("times", "seen"), [
    ([300.0, 301.0, 302.0, 303.0], []),                                                      # four
    ([300.0, 301.0, 302.0, 303.0, 309.9], ["overload 10.0.0.1 300.010-309.910 5"]),
    ([300.0, 301.0, 302.0, 303.0, 310.1], []),                                               # in more than 10 s
    ([300.0, 301.0, 302.0, 303.0, 304.0, 363.0], ["overload 10.0.0.1 300.010-363.010 5"]),   # less than 60 s apart
    ([300.0, 301.0, 302.0, 303.0, 304.0, 365.0], ["overload 10.0.0.1 300.010-304.010 5"]),
])
def test_overload_is_five_503_in_ten_seconds(tower: Tower, times: list[float], seen: list[str]) -> None:
    story = Story()
    refuses(story, registered(story, 5), times)
    end(story, 500)
    assert tower.see(story, only="overload") == seen


def test_an_overload_is_open_until_a_minute_has_passed_without_a_503(tower: Tower) -> None:
    story = Story()
    refuses(story, registered(story, 5), [300.0, 301.0, 302.0, 303.0, 304.0])
    end(story, 363)
    assert tower.see(story, only="overload") == ["overload 10.0.0.1 300.010- 5"]
    assert tower.of("overload").metrics["responses_503"] == 5


def test_who_is_refused_while_others_are_served_makes_no_outage(tower: Tower) -> None:
    """Two phones have been refused before another phone gets its first answer."""
    story = Story()
    phones = registered(story, 40, apart=1.0)
    for number, phone in enumerate(phones[:10]):
        for late in range(0, 600, 100):
            time = 300 + number * 2 + late
            phone.told(time + 0.01, phone.ask(time, P, "REGISTER", expires=3600), 503)
        phone.register(905 + number)
    for time in range(296, 1200, 5):
        phones[10 + time // 5 % 30].call(time, seconds=3)
    end(story, 1300)
    assert {line.split()[0] for line in tower.see(story, None, P)} == {"overload"}


@pytest.mark.parametrize(("goes_on", "silent"), [(0, True), (5, True), (45, False)])
def test_who_refuses_all_and_then_answers_nothing_is_said_to(tower: Tower, goes_on: int, silent: bool) -> None:
    """Overloaded, and then gone, unless the server refuses another request after those that it left unanswered."""
    story = Story()
    phones = registered(story, 40, apart=1.0)
    refuses(story, phones[:20], [300.0 + number for number in range(20)])
    for number, phone in enumerate(phones[20:35]):
        phone.silence(321 + number, method="REGISTER")
    refuses(story, phones[35:], [316.0 + goes_on] if goes_on else [])
    for number, phone in enumerate(phones):
        phone.register(400 + number / 10)
    end(story, 500)
    tower.see(story, None, P)
    outage = tower.of("server-outage")
    assert (outage.start - ORIGIN, outage.metrics["responses_503"]) == (300.0, 20 + bool(goes_on))
    said = words_of(tower.report, UTC).of(outage)[0]
    since = "12:05:22" if goes_on else "12:05:21"
    span = f"on, and did not answer at all from {since} to" if silent else "to"
    assert said == f"10.0.0.1 answered nothing but 503 from 12:05:00 {span} 12:06:40."
