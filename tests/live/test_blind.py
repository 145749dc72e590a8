"""Nobody is accused because of what a source could not see, neither while it is away nor afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sipaudit.model.sayings import EventSaid
from tests.live.ear import Ear, findings, incidents
from tests.live.stories import OFTEN, QUARTER, retries
from tests.stories import MINUTE, R0, R2, Handset, P, S, Story, handsets, site
from tests.traps.ground import handset


@pytest.fixture
def ear(tmp_path: Path) -> Ear:
    return Ear(tmp_path, QUARTER)


def test_what_a_source_did_not_see_stands_in_the_timelines_and_passes_no_deadline(ear: Ear) -> None:
    """While the cable of a port is out, a try whose answer is not seen has not failed."""
    story = retries()
    ear.hears(story, until=1540)
    ear.wire.away = True
    for clock in range(1550, 2500, 10):
        assert OFTEN not in findings(ear.turn(clock))
    ear.wire.away, ear.wire.blind = False, 955.0
    phone = Handset(story)
    phone.numbers[phone.registration] = 90
    phone.register(2500, S)
    ear.hears(story, since=2400)
    ear.finish(2600)
    assert OFTEN not in findings(ear.said)
    assert [one.event.what for one in ear.said if isinstance(one, EventSaid)] == ["a source saw nothing for 955 s"]


@pytest.mark.parametrize("heard", ["at once", "later"])
def test_what_a_phone_may_have_learnt_while_nobody_saw_it_is_not_held_against_it(tmp_path: Path, heard: str) -> None:
    """The cable was out for two hours. Meanwhile the phone may have seen its first server fail, and need not try it."""
    settings = {**dict.fromkeys(("reRegisterOn", "failRegistrationOn", "onlySignalWithRegistered"), 0),
                "failBack.mode": "newRequests"}
    ear, phone = Ear(tmp_path, site(settings, P, S)), handset()
    phone.register(0)
    phone.call(7500, S)
    ear.hears(phone.story, until=100)
    ear.wire.away = True
    for clock in range(200, 7500, 100):
        ear.turn(clock)
    ear.wire.away, ear.wire.blind = False, 7300.0
    if heard == "later":
        ear.turn(7499)
    ear.hears(phone.story, since=7400)
    ear.finish(8000)
    assert not findings(ear.said)


def test_after_the_port_was_away_what_is_usual_is_no_storm(tmp_path: Path) -> None:
    """The hour in which nothing was seen must not count as an hour without REGISTERs, against which any rate would be
    high."""
    ear, story = Ear(tmp_path, QUARTER), Story()
    for number in range(50):
        phone = Handset(story, f"10{number}", (f"10.1.0.{number + 1}", 5060), challenges=False, granted=20)
        for start in (0, 3700):
            for renewal in range(12):
                phone.register(start + number / 5 + 10 * renewal)
    ear.hears(story, until=200)
    ear.wire.away = True
    ear.turn(3600)
    ear.wire.away, ear.wire.blind = False, 3500.0
    ear.hears(story, since=200)
    ear.finish(3900)
    assert not incidents(ear.said)


@pytest.mark.parametrize(("away", "rules"), [(False, {"failover-missing"}), (True, set())])
def test_what_a_port_would_show_that_is_away_is_missed_of_nobody(tmp_path: Path, away: bool, rules: set[str]) -> None:
    """Each server has its own port. While the second server's is away, the phones may well have moved there unseen."""
    ear, story = Ear(tmp_path, site({**R2, **MINUTE}, P, S), wires=2), Story()
    other = Handset(story, "1099", ("10.1.0.99", 5060))
    other.fail_over(5)
    for clock in (60, 190):
        other.call(clock, S)
    for phone in handsets(story, range(10, 14)):
        phone.register(20)
        for again in range(8):
            phone.silence(300 + 60 * again, P, "REGISTER")
    for packet in sorted(story.packets, key=lambda packet: packet.time):
        ear.wires[1].away = away and packet.time > 200
        ear.wires[S in (packet.source, packet.destination)].come([packet])
        ear.turn(packet.time, read=True)
    ear.turn(850)
    assert set(findings(ear.said)) == rules


@pytest.mark.parametrize("how", ["blind", "set back", "set forward", "restarted"])
def test_a_late_answer_to_a_request_from_before_does_not_show_where_a_line_works(tmp_path: Path, how: str) -> None:
    """The phone gave up that call and moved before the view began anew. The first server's late 200 made it seem to be
    still there, and to move half a minute later than it did."""
    settings = {**R0, **MINUTE}
    ear, story = Ear(tmp_path, site(settings, P, S)), Story()
    line, other = Handset(story), Handset(story, "1012")
    for one in (line, other):
        one.register(0)
    given_up = line.ask(203.5, P, "INVITE")
    for later in (0.5, 1.5, 3.5):
        line.again(203.5 + later, given_up)
    line.call(209, S, seconds=3)
    line.ask(217.5, P, "OPTIONS")
    line.told(221.8, given_up, 200)
    other.call(other.silence(230.5, P, "INVITE"), S, seconds=3)
    line.register(240, P)
    line.call(256.7, S, seconds=3)
    line.call(274.3, P, seconds=3)
    ear.hears(story, until=216)
    ear.turn(216)
    if how == "restarted":
        ear = ear.again(tmp_path, after=0.5)
    ear.wire.blind = 0.5 if how == "blind" else 0.0
    ear.set_ahead = {"set back": -300.0, "set forward": 300.0}.get(how, 0.0)
    for packet in sorted(story.packets, key=lambda packet: packet.time):
        if packet.time > 216:
            ear.wire.come([replace(packet, time=packet.time + ear.set_ahead)])
            ear.turn(packet.time, read=True)
    ear.finish(330)
    assert not findings(ear.said)
