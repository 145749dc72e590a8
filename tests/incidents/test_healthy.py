"""A site without incidents, and what is counted there."""

from __future__ import annotations

from tests.incidents.ground import Tower, fleet, registered
from tests.stories import P, Story
from tests.wire import ORIGIN


def test_a_healthy_capture_has_no_incident(tower: Tower) -> None:
    """Forty phones for half an hour: renewals, calls, keepalives, subscriptions, a busy callee, a log-out."""
    story = Story()
    phones = fleet(story, 40, granted=300, asks=300)
    for index, phone in enumerate(phones):
        for time in range(0, 1800, 240):
            phone.register(time + index * 1.5)
        phone.call(100 + index * 7, seconds=30 + index)
        for time in range(20, 1800, 60):
            phone.told(time + index / 10 + 0.01, phone.ask(time + index / 10, P, "OPTIONS"), 200)
        asked = phone.ask(70 + index, P, "SUBSCRIBE", expires=600, headers="Event: message-summary\r\n")
        phone.told(70.1 + index, asked, 200)
    busy = phones[7].ask(700, P, "INVITE")
    phones[7].told(700.1, busy, 100)
    phones[7].told(700.5, busy, 486)
    phones[8].register(1795, expires=0)
    assert tower.see(story) == []


def test_each_minute_tells_what_a_server_was_asked_and_answered(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 4, apart=1.0)
    phones[0].silence(60)
    asked = phones[1].ask(70, P, "INVITE")
    phones[1].told(70.5, asked, 503)
    phones[2].register(80)
    tower.see(story)
    rows = {row.time - ORIGIN: row for row in tower.report.minutes}
    assert set(rows) == {0.0, 60.0}
    assert (rows[0.0].requests, rows[0.0].answers) == ({"REGISTER": 8}, {"2xx": 4, "4xx": 4})
    second = rows[60.0]
    assert second.server == "10.0.0.1:5060/udp"
    assert second.requests == {"INVITE": 2, "REGISTER": 2}
    assert second.answers == {"2xx": 1, "4xx": 1, "5xx": 1}
    assert (second.responses_503, second.unanswered) == (1, 1)
    assert (second.delay_p50, second.delay_max) == (0.004, 0.5)
