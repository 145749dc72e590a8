"""What is said when, and when it is withdrawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipaudit.live.standing import Standing
from sipaudit.model.sayings import (
    FindingSaid,
    LineForgotten,
    LineSaid,
    MinuteSaid,
    MoveSaid,
    NoteSaid,
    RegistrationSaid,
    ServerSaid,
    TrySaid,
)
from tests.live.ear import Ear, findings, incidents, withdrawn
from tests.live.stories import OFTEN, QUARTER, retries
from tests.stories import MINUTE, R2, Court, Handset, P, S, Story, T, handsets, site
from tests.traps.ground import handset
from tests.wire import ORIGIN


@pytest.fixture
def ear(tmp_path: Path) -> Ear:
    return Ear(tmp_path, QUARTER)


def test_where_the_capture_ends_the_last_try_is_not_known_to_have_failed(tmp_path: Path) -> None:
    assert Court(tmp_path, [OFTEN])(retries(), QUARTER) == [f"? {OFTEN} capture-ended"]


def test_on_a_port_that_fell_silent_it_is_said_when_its_time_has_passed(ear: Ear) -> None:
    ear.hears(retries())
    assert OFTEN not in findings(ear.said)
    assert OFTEN not in findings(ear.turn(1540 + 25))
    assert findings(ear.turn(1540 + 40)) == [OFTEN]
    assert not findings(ear.turn(1540 + 120))


def test_an_answer_that_comes_late_takes_it_back(ear: Ear) -> None:
    story = retries(4)
    phone = Handset(story)
    phone.numbers[phone.registration] = 50
    asked = phone.ask(1540, P, "REGISTER", expires=3600)
    ear.hears(story)
    said = ear.turn(1540 + 40)
    assert findings(said) == [OFTEN]
    number = next(one.finding.id for one in said if isinstance(one, FindingSaid))
    phone.told(1540.1, asked, 200, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
    assert withdrawn(ear.hears(story, since=1540.05, clock=1590)) == [f"{number} late-packet"]
    assert findings(ear.finish(1600)) == []


def notes(ear: Ear) -> list[str]:
    return [saying.note for saying in ear.said if isinstance(saying, NoteSaid)]


def test_a_slip_in_the_address_of_the_second_server_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The note is the one that `analyze` gives at its end: what the line does at that address counts as no move."""
    ear = Ear(tmp_path, site(R2, P, T))
    phone = handset()
    phone.fail_over(300)
    ear.hears(phone.story)
    for clock in (330, 400, 500, 600):
        ear.turn(clock)
    [told] = notes(ear)
    assert told == ("Lines of sbc register at 10.0.0.2:5060/udp, which no entry lists: what they do there counts as "
                    "no move. If it is a server of sbc, correct its address there.")
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [told]
    other = ear.again(tmp_path, after=20)
    phone.register(700, S)
    other.hears(phone.story, since=650)
    other.turn(900)
    assert not notes(other)


def test_a_server_that_an_entry_lists_by_then_is_none(tmp_path: Path) -> None:
    """The site file was corrected in the meantime, so there is nothing to note."""
    ear = Ear(tmp_path, site(R2, P, T))
    phone = handset()
    phone.fail_over(300)
    ear.hears(phone.story)
    ear.turn(320)
    ear.obeys(site(R2, P, S))
    ear.turn(400)
    ear.finish(500)
    assert not notes(ear)


def test_a_packet_that_comes_in_time_takes_nothing_back(ear: Ear) -> None:
    story = retries()
    ear.hears(story)
    assert findings(ear.turn(1540 + 40)) == [OFTEN]
    Handset(story).register(1540 + 300, S)
    said = ear.hears(story, since=1540 + 60)
    assert not withdrawn(said)


def test_an_outage_opens_while_nothing_but_silence_is_heard_and_closes_when_it_is_over(ear: Ear) -> None:
    story = Story()
    phones = handsets(story, range(10, 14))
    for number, phone in enumerate(phones):
        phone.register(number)
    for number, phone in enumerate(phones):
        asked = phone.ask(300 + number / 4, P, "REGISTER", expires=3600)
        for again in (0.5, 1.5):
            phone.again(300 + number / 4 + again, asked)
    ear.hears(story)
    assert not incidents(ear.said)
    assert incidents(ear.turn(312)) == ["server-outage open"]
    for number, phone in enumerate(phones):
        phone.register(400 + number, P)
    ear.hears(story, since=390)
    assert incidents(ear.turn(700)) == ["server-outage closed"]


def test_a_call_that_every_failover_delays_is_not_said_to_be_lost(ear: Ear) -> None:
    """Nor is that said and withdrawn seconds later: whether a call succeeds at the next server is known only after two
    minutes."""
    story = Story()
    phones = handsets(story, range(10, 14))
    for phone in phones:
        phone.register(0)
    for number, phone in enumerate(phones):
        phone.fail_over(300 + number)
    phones[0].silence(500, P)
    ear.hears(story)
    for clock in range(320, 620, 2):
        ear.turn(clock)
    assert incidents(ear.said)[0] == "server-outage open"
    assert not withdrawn(ear.said)


def test_a_call_that_nobody_took_is_said_to_be_lost_after_two_minutes(ear: Ear) -> None:
    story = Story()
    phones = handsets(story, range(10, 14))
    for phone in phones:
        phone.register(0)
        phone.silence(300, P)
        phone.silence(306, S)
    ear.hears(story)
    for clock in range(316, 426, 2):
        assert "calls-lost open" not in incidents(ear.turn(clock))
    said = [one for clock in range(426, 440, 2) for one in incidents(ear.turn(clock))]
    assert said.count("calls-lost open") == 1   # at P, where they were tried first


@pytest.mark.parametrize("goes_on", [True, False])
def test_who_goes_on_later_does_not_call_lost_what_may_come_through(ear: Ear, goes_on: bool) -> None:
    """The service is restarted in mid-outage: only a run that goes on later may leave the question open."""
    story = Story()
    for phone in handsets(story, range(10, 14)):
        phone.register(0)
        phone.silence(300, P)
    ear.hears(story)
    ear.turn(340)
    said = list(ear.teller.turn(ear.probe.newest, at_last=True, goes_on=goes_on))
    assert ("calls-lost open" in incidents(said)) is not goes_on


def test_a_minute_is_said_again_when_who_asked_in_it_turns_out_to_be_a_phone(ear: Ear) -> None:
    story = Story()
    phone = Handset(story)
    for clock in (5, 10, 15):
        phone.told(clock + 0.1, phone.ask(clock, P, "REGISTER", expires=3600), 403)
    phone.register(200)
    ear.hears(story)
    ear.finish(400)
    minutes = {one.minute.time: one.minute for one in ear.said if isinstance(one, MinuteSaid)}
    assert sum(minute.requests.get("REGISTER", 0) for minute in minutes.values()) == 5
    assert sum(minute.answers.get("4xx", 0) for minute in minutes.values()) == 4


def test_lines_moves_and_registrations_are_said_when_they_change(tmp_path: Path) -> None:
    ear = Ear(tmp_path, site({**R2, **MINUTE}, P, S))
    phone = handset()
    phone.fail_over(300)
    ear.hears(phone.story)
    ear.turn(320)
    assert [one.line.working for one in ear.said if isinstance(one, LineSaid)] == [
        "10.0.0.1:5060/udp", "10.0.0.2:5060/udp"]
    assert [(one.move.kind, one.move.to) for one in ear.said if isinstance(one, MoveSaid)] == [
        ("failover", "10.0.0.2:5060/udp")]
    assert [(one.registration.server, one.registration.end) for one in ear.said if isinstance(one, RegistrationSaid)
            ] == [("10.0.0.1:5060/udp", None), ("10.0.0.1:5060/udp", "invalidated"), ("10.0.0.2:5060/udp", None)]
    ear.turn(340)
    assert not [one for one in ear.turn(400) if isinstance(one, MoveSaid | RegistrationSaid | LineSaid)]


def asking_in_vain() -> Handset:
    """A phone that has failed over, and gets no answer from P when it tries to return."""
    phone = handset()
    phone.fail_over(100)
    asked = phone.ask(200, P, "REGISTER", expires=3600)
    for again in (0.5, 1.5):
        phone.again(200 + again, asked)
    return phone


def test_a_try_that_turns_out_to_have_timed_out_is_said_again(tmp_path: Path) -> None:
    ear = Ear(tmp_path, site({**R2, **MINUTE}, P, S))
    phone = asking_in_vain()
    phone.register(300, S)
    ear.hears(phone.story, until=215)
    ear.turn(260)
    ear.turn(280)
    ear.hears(phone.story, since=215)
    ear.turn(400)
    ear.turn(420)
    assert [one.try_.result for one in ear.said if isinstance(one, TrySaid)] == ["unknown", "timeout"]


def test_a_try_that_timed_out_is_said_so_though_the_next_one_was_told_before(tmp_path: Path) -> None:
    """At the first look the earlier try has no answer yet, but the later one has."""
    ear = Ear(tmp_path, site({**R2, **MINUTE}, P, S))
    phone = asking_in_vain()
    phone.call(222, P, seconds=4)
    phone.register(300, S)
    ear.hears(phone.story, until=250)
    ear.turn(240)
    ear.hears(phone.story, since=250)
    ear.turn(310)
    results = {one.try_.time - ORIGIN: one.try_.result for one in ear.said if isinstance(one, TrySaid)}
    assert results == {200: "timeout", 222: "answered"}


def test_a_server_is_said_before_the_first_line_that_moves_to_it(tmp_path: Path) -> None:
    """Otherwise a consumer could not name the server of the move, which is the first of an outage."""
    ear = Ear(tmp_path, site({**R2, **MINUTE}, P, S))
    phone = handset()
    phone.fail_over(10)
    ear.hears(phone.story)
    ear.turn(50)
    said = [one.server.server if isinstance(one, ServerSaid) else one.move.to for one in ear.said
            if isinstance(one, ServerSaid | MoveSaid)]
    assert said == ["10.0.0.1:5060/udp", "10.0.0.2:5060/udp", "10.0.0.2:5060/udp"]


def test_a_try_under_way_is_said_when_nothing_will_be_said_later(ear: Ear) -> None:
    story = Story()
    phone = Handset(story)
    phone.register(0)
    phone.fail_over(300)
    phone.ask(1300, P, "REGISTER", expires=3600)
    ear.hears(story)
    ear.turn(1304)
    assert not [one for one in ear.said if isinstance(one, TrySaid)]
    last = ear.teller.turn(ear.probe.newest, at_last=True)
    assert [one.try_.result for one in last if isinstance(one, TrySaid)] == ["unknown"]


def test_registrations_of_a_line_with_two_entries_are_said_once_however_many(tmp_path: Path) -> None:
    declared = site({**R2, **MINUTE}, P, S)
    declared["entries"]["other"] = {"servers": [{"address": T[0], "port": T[1]}]}
    ear = Ear(tmp_path, declared)
    story = Story()
    phone = Handset(story)
    for number in range(12):
        for server in (P, T):
            phone.register(60 * number, server)
            phone.register(60 * number + 30, server, expires=0)
    ear.hears(story)
    ear.turn(800)
    assert len({(one.registration.server, one.registration.from_) for one in ear.said
                if isinstance(one, RegistrationSaid)}) == 24
    assert not [one for one in ear.turn(870) if isinstance(one, RegistrationSaid)]


def test_lines_of_which_nothing_is_remembered_are_taken_back(tmp_path: Path) -> None:
    """A phone that gets another address each day is a new line each time."""
    ear, story = Ear(tmp_path, site(R2, P, S)), Story()
    for day in range(3):
        Handset(story, place=(f"10.1.0.{5 + day}", 5060)).register(100.0 * day)
    ear.hears(story)
    ear.turn(202)
    assert len(standing(ear).lines) == 3
    ear.probe.forget(ORIGIN + 150, ORIGIN + 150)
    ear.turn(600)
    said = standing(ear)
    assert dict(+said.lines.by_server) == {"10.0.0.1:5060/udp": 1}
    gone = [saying.phone for saying in ear.said if isinstance(saying, LineForgotten)]
    assert gone == ["10.1.0.5:5060", "10.1.0.6:5060"]


def standing(ear: Ear) -> Standing:
    """The state that results from all sayings."""
    added = Standing()
    for saying in ear.said:
        added.take(saying)
    return added
