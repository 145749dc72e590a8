"""The clock is set back or forward by an hour while a probe listens (by NTP or by hand): this must do no harm."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sipaudit.model.sayings import CallSaid, EventSaid, IncidentSaid, MinuteSaid, MoveSaid, Saying
from tests.live.ear import Ear, findings, incidents, withdrawn
from tests.live.noticed import Notified, outage
from tests.live.stories import OFTEN, QUARTER, retries
from tests.stories import MINUTE, R2, Handset, P, S, Story, handsets, site
from tests.traps.ground import handset
from tests.wire import ORIGIN

HOUR = 3600.0
EARLY = "premature-failback"


def known(ear: Ear) -> Story:
    """Feed four phones that register at HOUR and call; after that the clock is set back by HOUR."""
    story = Story()
    for phone in handsets(story, range(10, 14)):
        phone.register(HOUR)
        phone.call(HOUR + 100, seconds=5)
    ear.hears(story)
    ear.turn(HOUR + 200)
    return story


def taken_back(said: list[Saying]) -> list[str]:
    """What was withdrawn, except incidents of lost calls: such a call may have found another server a moment later."""
    calls = {one.incident.id for one in said if isinstance(one, IncidentSaid) and one.incident.kind == "calls-lost"}
    return [one for one in withdrawn(said) if one.partition(" ")[0] not in calls]


def numbered(story: Story, skip: int = 50) -> list[Handset]:
    """The same phones later on, with other CSeq numbers."""
    phones = handsets(story, range(10, 14))
    for phone in phones:
        phone.numbers = {phone.registration: skip}
    return phones


def hears(ear: Ear, story: Story, clock: float) -> None:
    """Feed a story whose packet times are those of a wall clock set back by `clock`; the monotonic clock goes on."""
    for packet in sorted(story.packets, key=lambda packet: packet.time):
        ear.wire.come([packet])
        ear.turn(clock + packet.time, read=True)


def test_what_is_older_than_the_probe_is_said_as_it_comes(tmp_path: Path) -> None:
    """A capture of days ago appears in a followed directory, or is shipped to a probe that had already turned once: its
    moves and minutes are said without waiting until its clock shows today."""
    ear = Ear(tmp_path, site({**R2, **MINUTE}, P, S), began=ORIGIN + 5 * 86_400)
    ear.turn(0.0)
    phone = handset()
    phone.fail_over(300)
    ear.hears(phone.story)
    ear.turn(400)
    assert [(one.move.kind, one.move.to) for one in ear.said if isinstance(one, MoveSaid)] == [
        ("failover", "10.0.0.2:5060/udp")]
    assert [one.minute.time - ORIGIN for one in ear.said if isinstance(one, MinuteSaid)][:1] == [0.0]


def test_an_outage_that_is_older_than_the_probe_is_over_when_its_packets_say_so(tmp_path: Path) -> None:
    ear = Ear(tmp_path, site({**R2, **MINUTE}, P, S), began=ORIGIN + 5 * 86_400)
    ear.turn(0.0)
    story = Story()
    phones = handsets(story, range(10, 14))
    for phone in phones:
        phone.register(0)
        phone.fail_over(300)
        phone.register(400, P)
    ear.hears(story)
    ear.turn(500)
    said = [one for one in incidents(ear.said) if one.startswith("server-outage")]
    assert list(dict.fromkeys(said)) == ["server-outage open", "server-outage closed"]


def test_who_goes_on_from_before_the_first_packet_may_hear_one_that_is_older(tmp_path: Path) -> None:
    """The checkpoint is written before any packet: its time is the clock's, not that of a packet."""
    ear = Ear(tmp_path, site({**R2, **MINUTE}, P, S), began=ORIGIN + 5 * 86_400)
    ear.turn(0.0)
    other = ear.again(tmp_path, after=0.0)
    other.turn(0.0)
    phone = handset()
    other.hears(phone.story)
    assert other.probe.steps_back == 0
    assert other.probe.auditor.profiles.began == ORIGIN


def test_deadlines_fire_and_deviations_are_found_as_if_nothing_had_been(ear: Ear) -> None:
    known(ear)
    later = Story()
    phones = numbered(later)
    for phone in phones:
        phone.register(210)
    backs = [phone.fail_over(400 + number / 4) for number, phone in enumerate(phones)]
    phones[0].register(max(backs) + 10, P)
    hears(ear, later, HOUR)
    ear.turn(HOUR + 500)
    assert "server-outage open" in incidents(ear.said)
    assert EARLY in findings(ear.said)
    assert len([one for one in ear.said if isinstance(one, MoveSaid)]) >= 4
    assert not taken_back(ear.said)


def test_a_deadline_on_a_silent_port_fires_at_its_time_by_the_new_clock(tmp_path: Path) -> None:
    ear = Ear(tmp_path, QUARTER)
    known(ear)
    story = retries()
    hears(ear, story, HOUR)
    assert OFTEN not in findings(ear.said)
    assert OFTEN not in findings(ear.turn(HOUR + 1540 + 25))
    assert findings(ear.turn(HOUR + 1540 + 40)) == [OFTEN]


def test_who_obeys_is_accused_of_nothing_and_nothing_is_taken_back(ear: Ear) -> None:
    """When the clock is set, one phone waits for an answer, one is in a call, one is at the other server."""
    story = Story()
    phones = handsets(story, range(10, 14))
    for phone in phones:
        phone.register(HOUR)
    phones[1].call(HOUR + 100, seconds=HOUR)
    phones[2].register(phones[2].silence(HOUR + 150, P, "REGISTER"), S)
    phones[3].ask(HOUR + 199, P, "REGISTER", expires=3600)
    ear.hears(story, until=HOUR + 200)
    ear.turn(HOUR + 201)
    said = len(ear.said)
    later = Story()
    again = numbered(later)
    for second in range(0, 1200, 300):
        for number, phone in enumerate(again):
            phone.register(210 + second + number, S if number == 2 and second < 300 else P)
            phone.call(240 + second + number, seconds=5)
    hears(ear, later, HOUR)
    ear.turn(HOUR + 2000)
    assert not findings(ear.said[said:])
    assert not taken_back(ear.said)
    assert [one for one in ear.said[said:] if isinstance(one, CallSaid)]
    assert [one for one in ear.said[said:] if isinstance(one, MinuteSaid)]


def test_an_outage_that_is_open_ends_with_what_was_seen_of_it(ear: Ear) -> None:
    story = Story()
    for number, phone in enumerate(handsets(story, range(10, 14))):
        phone.register(HOUR)
        phone.fail_over(HOUR + 100 + number / 4)
    ear.hears(story)
    ear.turn(HOUR + 130)
    assert incidents(ear.said)[-1] == "server-outage open"
    said = len(ear.said)
    later = Story()
    for phone in numbered(later):
        phone.register(300, S)
    hears(ear, later, HOUR)
    ear.turn(HOUR + 1000)
    assert incidents(ear.said)[-1] == "server-outage closed"
    assert not taken_back(ear.said[said:])
    last = [one.incident for one in ear.said if isinstance(one, IncidentSaid)][-1]
    assert last.end is not None
    assert last.start <= last.end


def test_it_is_counted_logged_and_said(ear: Ear, caplog: pytest.LogCaptureFixture) -> None:
    known(ear)
    later = Story()
    numbered(later)[0].register(210)
    with caplog.at_level(logging.WARNING, logger="sipaudit"):
        hears(ear, later, HOUR)
        ear.turn(HOUR + 300)
    assert ear.probe.steps_back == 1
    assert "the clock was set back by" in caplog.text
    assert [one for one in ear.said if isinstance(one, EventSaid) and "set back" in one.event.what]


def test_packets_that_are_a_little_late_set_nothing_back(ear: Ear) -> None:
    known(ear)
    later = Story()
    numbered(later)[0].register(HOUR + 103.5)   # the last packet was at 105
    hears(ear, later, HOUR)
    assert ear.probe.steps_back == 0


def test_the_clock_is_set_back_while_nobody_listens(ear: Ear, tmp_path: Path) -> None:
    known(ear)
    other = ear.again(tmp_path, after=-HOUR)
    later = Story()
    phones = numbered(later)
    for phone in phones:
        phone.register(300)
    backs = [phone.fail_over(400 + number / 4) for number, phone in enumerate(phones)]
    hears(other, later, 0.0)
    other.turn(max(backs) + 60)
    assert other.probe.steps_back == 1
    assert "server-outage open" in incidents(other.said)
    assert not findings(other.said)
    assert not taken_back(other.said)


@pytest.mark.parametrize("wires", [1, 2])
def test_nobody_comes_too_early_by_a_clock_that_was_set_back_while_nothing_passed(tmp_path: Path, wires: int) -> None:
    """The packets alone do not show the step: each is later than the one before, or the other port's last packet is
    still to come."""
    ear, story = Ear(tmp_path, site({**R2, **MINUTE}, P, S), wires=wires), Story()
    Handset(story, "1099", ("10.1.0.99", 5060)).register(340 if wires == 2 else 200)
    phone = Handset(story)
    phone.register(0)
    phone.fail_over(300)
    for packet in sorted(story.packets, key=lambda packet: packet.time):
        beside = "10.1.0.99" in (packet.source[0], packet.destination[0])
        ear.wires[-1 if beside else 0].come([packet])
        ear.turn(packet.time, read=True)
    ear.turn(350)
    ear.set_ahead = -20.0
    ear.turn(350.5)
    before = len(story.packets)
    phone.register(373, P)
    for packet in story.packets[before:]:
        ear.wire.come([packet])
        ear.turn(packet.time + 20, read=True)
    ear.turn(394)
    ear.turn(500)
    assert not findings(ear.said)
    assert (ear.probe.steps_back, ear.probe.steps_forward) == (1, 0)
    assert ear.probe.now(500) == pytest.approx(ORIGIN + 480, abs=2.0)


def test_what_another_port_saw_before_the_clock_was_set_back_sets_nothing_forward(tmp_path: Path) -> None:
    """The kernel delivers that packet a moment after the step."""
    ear, early, late = Ear(tmp_path, QUARTER, wires=2), Story(), Story()
    for story, time in ((early, 100.0), (late, 199.8)):
        Handset(story, f"10{time:.0f}", (f"10.1.0.{time:.0f}", 5060)).register(time)
    ear.hears(early)
    ear.turn(101)
    ear.set_ahead = -60.0
    ear.turn(200.0)
    ear.wires[1].come(late.packets)
    ear.turn(200.1, read=True)
    for clock in range(201, 210):
        ear.turn(clock)
    assert ear.probe.now(209) == pytest.approx(ORIGIN + 149, abs=2.0)
    assert (ear.probe.steps_back, ear.probe.steps_forward) == (1, 0)


def test_what_waits_to_be_notified_waits_no_longer_for_it() -> None:
    story = Notified()
    story.say(outage(4))
    assert not story.wait(1)
    story.now -= HOUR
    assert not story.wait(1)
    assert story.wait(4)


def waits_for(ear: Ear) -> Story:
    """Feed a phone at S whose fifth try at P is under way: a timeout would be one failure too many."""
    story = retries()
    ear.hears(story)
    assert OFTEN not in findings(ear.said)
    return story


@pytest.fixture
def returning(tmp_path: Path) -> Ear:
    return Ear(tmp_path, QUARTER)


def test_a_clock_that_is_set_forward_lets_no_deadline_pass(returning: Ear, caplog: pytest.LogCaptureFixture) -> None:
    waits_for(returning)
    returning.set_ahead = HOUR
    with caplog.at_level(logging.WARNING, logger="sipaudit"):
        said = returning.turn(1545)
    said += returning.turn(1700)
    assert findings(said) == withdrawn(said) == []
    assert (returning.probe.steps_forward, returning.probe.steps_back) == (1, 0)
    assert "the clock was set forward by 3600.0 s" in caplog.text
    assert returning.probe.now(1700) == pytest.approx(ORIGIN + HOUR + 1700, abs=2.0)
    assert [one for one in returning.said if isinstance(one, EventSaid) and "set forward" in one.event.what]


def test_what_had_come_before_the_clock_was_set_is_followed_at_its_time(returning: Ear) -> None:
    """The kernel delivered the answer to the last try late; the next packet has the new time."""
    story = retries(4)
    phone = Handset(story)
    asked = phone.ask(1540, P, "REGISTER", expires=3600)
    returning.hears(story)
    phone.told(1540.1, asked, 200, headers=f"Contact: <{phone.contact}>;expires=3600\r\n")
    returning.set_ahead = HOUR
    returning.hears(story, since=1540.05, clock=1540.3)
    assert returning.probe.steps_forward == 0
    later = Story()
    Handset(later, "1012", ("10.1.0.12", 5060)).register(HOUR + 1542)
    for packet in later.packets:
        returning.wire.come([packet])
        returning.turn(1540.5, read=True)
    assert (returning.probe.steps_forward, returning.probe.steps_back) == (1, 0)
    last = [one.move for one in returning.said if isinstance(one, MoveSaid)][-1]
    assert last.kind == "failback"
    assert last.time == pytest.approx(ORIGIN + 1540.0, abs=0.2)
    assert not taken_back(returning.said)


def test_what_is_no_sip_may_be_the_first_of_the_new_time(returning: Ear) -> None:
    waits_for(returning)
    returning.set_ahead = HOUR
    returning.turn(1541)
    media = Story()
    media.udp(HOUR + 1541.2, P, S, b"\x80")
    returning.wire.come(media.packets)
    said = returning.turn(1541.3, read=True)
    said += returning.turn(1541.8)
    said += returning.turn(1600)
    assert findings(said) == []
    assert (returning.probe.steps_forward, returning.probe.steps_back) == (1, 0)
    assert returning.probe.now(1600) == pytest.approx(ORIGIN + HOUR + 1600, abs=2.0)


def test_what_was_held_back_of_several_ports_may_be_the_first_of_the_new_time(tmp_path: Path) -> None:
    """The packet is held for the other port until nothing from before the step can arrive any more."""
    ear, story = Ear(tmp_path, QUARTER, wires=2), Story()
    Handset(story).register(HOUR + 10.9)
    ear.turn(10)
    ear.set_ahead = HOUR
    ear.turn(10.1)
    for packet in story.packets:
        ear.wire.come([packet])
    ear.turn(10.95, read=True)
    ear.turn(11.2)
    assert (ear.probe.steps_forward, ear.probe.steps_back) == (1, 0)
    assert ear.probe.now(20) == pytest.approx(ORIGIN + HOUR + 20, abs=2.0)


@pytest.mark.parametrize("seconds", [-HOUR, HOUR])
def test_a_clock_that_is_set_and_set_right_at_once_was_not_set(returning: Ear, seconds: float) -> None:
    """This is how it looks when the process is stopped between reading one clock and the other."""
    waits_for(returning)
    returning.set_ahead = seconds
    returning.turn(1540.5)
    returning.set_ahead = 0.0
    returning.turn(1540.6)
    returning.turn(1700)
    assert returning.probe.now(1700) == pytest.approx(ORIGIN + 1700, abs=2.0)
    assert (OFTEN in findings(returning.said)) == (seconds > 0)


def test_deviations_are_found_by_the_clock_that_was_set_forward(returning: Ear) -> None:
    waits_for(returning)
    returning.set_ahead = HOUR
    said = len(returning.said)
    returning.turn(1545)
    later = Story()
    phone = Handset(later)
    phone.numbers = {phone.registration: 50}
    shift = HOUR + 1600
    phone.register(shift)
    phone.register(phone.silence(shift + 300, P, "REGISTER"), S)
    for number in range(5):
        phone.silence(shift + 1300 + 60 * number, P, "REGISTER")
    for packet in sorted(later.packets, key=lambda packet: packet.time):
        returning.wire.come([packet])
        returning.turn(packet.time - HOUR, read=True)
    assert (returning.probe.steps_forward, returning.probe.steps_back) == (1, 0)
    last = 1600 + 1540
    assert OFTEN not in findings(returning.turn(last + 25))
    assert OFTEN in findings(returning.turn(last + 40))
    assert not taken_back(returning.said[said:])


def test_where_only_files_are_followed_our_clock_means_nothing(returning: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(returning.wire, "by_our_clock", False)
    waits_for(returning)
    returning.set_ahead = HOUR
    assert findings(returning.turn(1540 + 40)) == [OFTEN]
    assert returning.probe.steps_forward == 0


def test_a_clock_that_drifts_is_followed(returning: Ear) -> None:
    waits_for(returning)
    for second in range(1540, 1580):
        returning.set_ahead += 0.5
        returning.turn(second)
    assert returning.probe.steps_forward == 0
    assert OFTEN in findings(returning.said)
