"""Incidents that are over are reported unchanged, and cost no more work."""

from __future__ import annotations

from typing import Any

import pytest

from sipaudit.incidents import chronicle
from sipaudit.incidents.settled import Settled
from sipaudit.live.said_incidents import SaidIncidents
from sipaudit.model.sayings import FindingSaid, IncidentSaid
from tests.live.ear import Ear, incidents
from tests.live.said import incident
from tests.stories import P, Story, handsets

STEADY = ("lines_moved", "registrations_lost", "calls_lost", "calls_failed")


def two_outages() -> Story:
    """P is silent twice, a quarter of an hour apart; calls are lost, and each time one phone returns too soon."""
    story = Story()
    phones = handsets(story, range(10, 16))
    for phone in phones:
        phone.register(0)
        phone.call(20, seconds=4)
    for start in (300, 1200):
        phones[0].call(start - 5, seconds=3000)
        for number, phone in enumerate(phones):
            back = phone.fail_over(start + number / 4)
            phone.register(back + (10 if number == 1 else 70), P)
            phone.call(back + 75, seconds=3)
    return story


def test_what_is_told_of_incidents_that_are_over_is_what_would_be_worked_out_anew(ear: Ear) -> None:
    story = two_outages()
    told = set()
    for until in range(0, 2000, 10):
        ear.hears(story, since=until - 10, until=until)
        ear.turn(until)
        kept, ear.probe.settled = ear.probe.settled, Settled()
        anew, ear.probe.settled = ear.probe.chronicle().incidents(), kept
        assert _outline(ear.probe.chronicle().incidents()) == _outline(anew), until
        told |= {incident.kind for incident in anew if incident.state == "closed"}
    assert {"server-outage", "calls-lost"} <= told


def _outline(told: list[Any]) -> list[Any]:
    """All but the metrics of how long phones took, which the state of the lines gives only for a while."""
    return [(one.id, one.kind, one.server, one.state, one.start, one.end, one.lines, one.phones, one.timeline,
             one.evidence, [one.metrics[name] for name in STEADY]) for one in told]


def test_incidents_that_are_over_cost_nothing(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn walks through their lines, or any others, again."""
    ear.hears(two_outages(), until=1700)
    ear.turn(1700)
    assert incidents(ear.said).count("server-outage closed") >= 2
    assert [one for one in ear.said if isinstance(one, FindingSaid) and one.finding.incident is not None]
    ear.probe.chronicle()

    def never(*_: object) -> None:
        raise AssertionError("a walk")

    monkeypatch.setattr(chronicle, "of_outage", never)
    monkeypatch.setattr(type(ear.probe.auditor.replays), "everyone", never)
    monkeypatch.setattr(chronicle.Chronicle, "_incident", never)
    ear.turn(1710)
    ear.turn(1720)


def test_a_call_that_turns_out_to_live_on_is_lost_no_longer(ear: Ear) -> None:
    """The call's far end is heard again only after the outage is over."""
    story = Story()
    phones = handsets(story, range(10, 13))
    for phone in phones:
        phone.register(0)
    call = phones[0].call(280, seconds=900)
    for number, phone in enumerate(phones):
        back = phone.fail_over(300 + number / 4)
        phone.register(back + 70, P)
    ear.hears(story, until=700)
    ear.turn(700)
    lost = [one for one in ear.probe.chronicle().incidents() if one.kind == "calls-lost"]
    assert [one.state for one in lost] == ["closed"], call
    ear.hears(story, since=700)
    ear.turn(1300)
    assert not [one for one in ear.probe.chronicle().incidents() if one.kind == "calls-lost"]


def test_an_incident_of_an_earlier_run_has_ten_minutes_to_show_that_it_goes_on() -> None:
    known = SaidIncidents()
    known.said_before(incident().incident)
    assert [list(known.turn(now, [], 0.0)) for now in (1000.0, 1001.0, 1599.0)] == [[], [], []]
    (given_up,) = known.turn(1600.0, [], 0.0)
    assert isinstance(given_up, IncidentSaid)
    assert given_up.incident.state == "closed"
