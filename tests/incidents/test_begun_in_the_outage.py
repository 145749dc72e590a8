"""A capture that is started when the outage is noticed: it shows requests time out at the first server and lines
register at the second, or wait for the first."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest

from sipaudit.report.incident_words import words_of
from sipaudit.report.verdict import sentences
from tests.incidents.ground import Tower, end, fleet, registered
from tests.stories import R3, P, S, Story


def _seen(tower: Tower) -> None:
    story = Story()
    phones = fleet(story, 6)
    for index, phone in enumerate(phones):
        phone.register(phone.silence(10 + index * 5, P, "REGISTER"), S)
        phone.call(30 + index * 5, S, 5.0)
    for index, phone in enumerate(phones):
        phone.register(200 + index * 5, P)
    end(story, 400)
    assert tower.see(story, R3) == ["server-outage 10.0.0.1 10.000-200.004 6"]


def test_the_turn_to_the_second_server_is_timed(tmp_path: Path) -> None:
    tower = Tower(tmp_path)
    _seen(tower)
    metrics = tower.of("server-outage").metrics
    assert metrics["time_to_detect_p50"] == pytest.approx(5.5, abs=0.02)
    assert metrics["time_to_recover_max"] == pytest.approx(5.511, abs=0.02)   # up to the 200 (contract.md 3)


@pytest.mark.parametrize(("apart", "every"), [(1, 60), (3, 60), (8, 170)])
def test_who_has_nowhere_to_turn_tells_of_it_once_answered(tmp_path: Path, apart: int, every: int) -> None:
    """No phone was answered before, and until one is, the captures might lack all that the server sends."""
    story = Story()
    phones = fleet(story, 20)
    for index, phone in enumerate(phones):
        for time in range(10 + index * apart, 300, every):
            phone.silence(time, P, "REGISTER")
        phone.register(310 + index * apart, P)
    story.murmur(0, 600)
    tower = Tower(tmp_path)
    assert tower.see(story) == ["server-outage 10.0.0.1 10.000-310.004 20"]
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    assert said.endswith(" from 12:00:10, or before, to 12:05:10.")
    assert tower.see(story.without(lambda packet: packet.source == P)) == []


def test_of_some_phones_alone_it_tells_that_others_were_answered(tmp_path: Path) -> None:
    story = Story()
    phones = fleet(story, 20)
    for index, phone in enumerate(phones[:15]):
        for time in range(10 + index, 300, 60):
            phone.silence(time, P, "REGISTER")
        phone.register(310 + index, P)
    for time in range(1, 600, 10):
        phones[15 + time // 10 % 5].register(time, P)
    tower = Tower(tmp_path)
    assert tower.see(story)[0].startswith("server-outage 10.0.0.1 10.000-")
    said = words_of(tower.report, UTC).of(tower.of("server-outage"))[0]
    assert "did not answer 15 phones, though it answered others, from" in said


def test_where_the_other_direction_is_captured_later_there_was_none(tmp_path: Path) -> None:
    """Over TCP, where SIP retransmits nothing."""
    story = Story()
    phones = registered(story, 6, transport="tcp", granted=120)
    for time in range(60, 600, 60):
        for index, phone in enumerate(phones):
            phone.register(time + index, P)
    heard = story.without(lambda packet: packet.source == P and packet.time < 300)
    assert Tower(tmp_path).see(heard, only="server-outage") == []


def test_the_list_is_not_doubted_where_the_head_was_asked_and_was_out(tmp_path: Path) -> None:
    tower = Tower(tmp_path)
    _seen(tower)
    assert not [line for line in sentences(tower.report, UTC) if "another order than the list" in line]


def test_who_calls_after_several_tries_in_vain_had_turned_away_before(tmp_path: Path) -> None:
    """It left P before the capture began: its REGISTERs are tries to return, which its requests to S do not replace."""
    story = Story()
    phones = fleet(story, 6)
    for index, phone in enumerate(phones):
        for time in (10, 72, 134):
            phone.silence(time + index * 5, P, "REGISTER")
        phone.call(141 + index * 5, S, 5.0)
        phone.register(160 + index * 5, S)
    for index, phone in enumerate(phones):
        phone.register(300 + index * 5, P)
    end(story, 400)
    tower = Tower(tmp_path)
    assert tower.see(story, R3) == ["server-outage 10.0.0.1 10.000-300.004 6"]
    outage = tower.of("server-outage")
    assert outage.metrics["time_to_detect_max"] is None
    assert not [entry for entry in outage.timeline if "turns to another server" in entry.what]


def test_a_server_that_never_answered_may_have_been_out_before(tower: Tower) -> None:
    """S is first asked when P fails: it is unknown since when S is out; for P it is known."""
    story = Story()
    for number, phone in enumerate(registered(story, 4)):
        for late in range(0, 240, 40):
            phone.silence(300 + number + late, method="REGISTER")
            phone.silence(306 + number + late, S, method="REGISTER")
        phone.register(560 + number)
    end(story, 900)
    tower.see(story)
    said = {one.server: words_of(tower.report, UTC).of(one)[0] for one in tower.report.incidents
            if one.kind == "server-outage"}
    assert "10.0.0.1 did not answer from 12:05:00 to 12:" in said["10.0.0.1:5060/udp"]
    assert "10.0.0.2 did not answer from 12:05:06, or before, on" in said["10.0.0.2:5060/udp"]
    out = next(one for one in tower.report.incidents if one.server == "10.0.0.2:5060/udp")
    assert "10.0.0.2:5060/udp is not seen to answer anybody before" in [entry.what for entry in out.timeline]
