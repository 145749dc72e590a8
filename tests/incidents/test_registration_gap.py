"""Lines that are without any registration for a minute."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC

import pytest
from msgspec.structs import replace

from sipaudit.model.values import Happening
from sipaudit.report.incident_words import words_of
from sipaudit.report.redact import Pseudonyms
from sipaudit.report.redact_report import Redaction
from tests.incidents.ground import Tower, end, registered
from tests.stories import CHALLENGE, CREDENTIALS, Handset, P, Packet, S, Story
from tests.wire import ORIGIN


def unregistered(story: Story, granted_at: float) -> Handset:
    """A phone that is granted 300 s at 0; its renewals are refused from 240 on, until one is granted."""
    (phone,) = registered(story, 1, granted=300, asks=300)
    time = 240.0
    while time < granted_at - 10:
        phone.told(time + 0.01, phone.ask(time, P, "REGISTER", expires=300, headers=CREDENTIALS), 500)
        time += 30
    phone.register(granted_at)
    return phone


@pytest.mark.parametrize(("granted_at", "seen"), [
    (359.0, []), (361.0, ["registration-gap sbc 300.011-361.011 1"])])
def test_a_gap_is_a_minute_without_any_registration(tower: Tower, granted_at: float, seen: list[str]) -> None:
    story = Story()
    unregistered(story, granted_at)
    assert tower.see(story, only="registration-gap") == seen


def test_a_phone_that_was_off_has_no_gap(tower: Tower) -> None:
    """Nothing was seen of it for an hour; its first REGISTER in vain after its return opens no gap."""
    story = Story()
    (phone,) = registered(story, 1, granted=300, asks=300)
    phone.registration = "anew"
    phone.register(phone.silence(4000, method="REGISTER"), S)
    assert tower.see(story, only="registration-gap") == []


@pytest.mark.parametrize(("apart", "seen"), [(110, "300.011-490.011"), (130, "440.000-510.011")])
def test_of_a_phone_that_may_have_been_off_it_begins_anew(tower: Tower, apart: float, seen: str) -> None:
    """Refused at 310 and seen again `apart` seconds later: after two minutes it may have been unplugged in between."""
    story = Story()
    (phone,) = registered(story, 1, granted=300, asks=300)
    for time in (240, 270, 310, 310 + apart):
        phone.told(time + 0.01, phone.ask(time, P, "REGISTER", expires=300, headers=CREDENTIALS), 500)
    phone.register(380 + apart)
    assert tower.see(story, only="registration-gap") == [f"registration-gap sbc {seen} 1"]


def test_that_a_phone_connects_for_a_request_does_not_show_that_it_was_there_before(tower: Tower) -> None:
    story = Story()
    (phone,) = registered(story, 1, granted=300, asks=300)
    story.syn(599, phone.place, P)
    phone.told(600.01, phone.ask(600, P, "REGISTER", expires=300, headers=CREDENTIALS), 500)
    phone.register(670)
    assert tower.see(story, only="registration-gap") == ["registration-gap sbc 600.000-670.011 1"]


def test_nor_has_a_line_that_logged_out(tower: Tower) -> None:
    story = Story()
    (phone,) = registered(story, 1, granted=300, asks=300)
    phone.register(100, expires=0)
    for time in range(120, 900, 30):
        phone.told(time + 0.01, phone.ask(time, P, "OPTIONS"), 200)
    phone.register(900)
    assert tower.see(story, only="registration-gap") == []


def test_nor_when_its_registration_elsewhere_runs_out_later(tower: Tower) -> None:
    """It logs out at S, where it had moved; its earlier registration at P expires unrenewed."""
    story = Story()
    (phone,) = registered(story, 1, granted=300, asks=300)
    phone.fail_over(100)
    phone.register(120, S, expires=0)
    for time in range(130, 900, 30):
        phone.told(time + 0.01, phone.ask(time, S, "OPTIONS"), 200)
    assert tower.see(story, only="registration-gap") == []


def test_gaps_of_many_lines_are_one_incident(tower: Tower) -> None:
    story = Story()
    for phone in registered(story, 6, granted=300, asks=300):
        for time in range(260, 420, 30):
            phone.told(time + 0.01, phone.ask(time, P, "REGISTER", expires=300, headers=CREDENTIALS), 500)
    end(story, 500)
    assert tower.see(story, only="registration-gap") == ["registration-gap sbc 300.011- 6"]


def renews(lacks: Callable[[Packet], bool]) -> Story:
    """A phone that renews for three hours and calls every minute, without the packets that the capture lacks."""
    story = Story()
    (phone,) = registered(story, 1)
    for time in range(3540, 10_700, 3540):
        phone.register(time, challenged=False)
    for time in range(100, 10_700, 60):
        phone.call(time + 7)
    return story.without(lacks)


@pytest.mark.parametrize("lacks", [("200 REGISTER",), ("REGISTER", "200 REGISTER")])
def test_nor_has_a_line_whose_renewal_the_capture_lacks(tower: Tower, lacks: tuple[str, ...]) -> None:
    """The phone sends its REGISTER once, so it received the 200. If the REGISTER is missing as well, the CSeq of the
    next one shows it, an hour later."""
    story = renews(lambda packet: 3530 < packet.time < 3550 and packet.what in lacks)
    assert tower.see(story, only="registration-gap") == []


@pytest.mark.parametrize(("granted", "every"), [(60, 15), (60, 30), (120, 60), (120, 110)])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_nor_one_whose_answers_take_another_way(tower: Tower, granted: int, every: int, transport: str) -> None:
    story = Story()
    phones = registered(story, 2, granted=granted, transport=transport)
    for number in range(1, 20):
        for phone in phones:
            phone.register(number * every + 20, challenged=False)
    heard = story.without(lambda packet: packet.destination == phones[0].place and packet.time > 10 * every)
    assert tower.see(heard, only="registration-gap") == []


def test_nor_when_the_next_renewal_runs_out_before_the_hidden_one_does(tower: Tower) -> None:
    """The capture lacks the 200 at 240; at 480 P is out, and the phone moves."""
    story = Story()
    phones = registered(story, 2, granted=300)
    for phone in phones:
        phone.register(240, challenged=False)
        phone.call(400)
        phone.register(phone.silence(480, method="REGISTER"), S)
    end(story, 600)
    assert tower.see(story.without(lambda packet: 240 < packet.time < 241)) == ["server-outage 10.0.0.1 480.000- 2"]
    assert tower.of("server-outage").metrics["registrations_lost"] == 0


@pytest.mark.parametrize("challenged", [True, False])
def test_nor_one_of_a_slow_server_whose_answers_take_another_way(tower: Tower, challenged: bool) -> None:
    """The server takes 0.7 s, so each request is sent twice."""
    story = Story()
    phones = registered(story, 2, granted=60)
    for number in range(1, 20):
        for phone in phones:
            time = number * 30 + 20.0
            for step in (0.0, 0.7)[:1 + challenged]:
                asked = phone.ask(time + step, P, "REGISTER", expires=3600, headers=CREDENTIALS)
                phone.again(time + step + 0.5, asked)
            phone.told(time + 1.4, asked, 200, headers=f"Contact: <{phone.contact}>;expires=60\r\n")
    heard = story.without(lambda packet: packet.destination == phones[0].place and packet.time > 300)
    assert tower.see(heard) == []


@pytest.mark.parametrize(("transport", "seen"), [("udp", 300.011), ("tcp", 300.011)])
def test_a_line_that_asks_again_and_again_has_one(tower: Tower, transport: str, seen: float) -> None:
    """It asks in vain, though no answer says so: it asks sooner than any renewal would be due."""
    story = Story()
    (phone,) = registered(story, 1, granted=300, asks=300, transport=transport)
    for time in range(240, 420, 40):
        if transport == "udp":
            phone.silence(time, method="REGISTER")
        else:
            phone.ask(time, P, "REGISTER", expires=300)
    end(story, 460)
    assert tower.see(story, only="registration-gap") == [f"registration-gap sbc {seen}- 1"]


def test_nor_one_whose_phone_the_capture_did_not_show_for_a_while(tower: Tower) -> None:
    """It keeps calling, and then registers under a Call-ID that was not seen before."""
    story = Story()
    phone, other = registered(story, 2, granted=300)
    for time in range(240, 1300, 240):
        other.register(time)
    for time in range(600, 740, 20):
        phone.call(time, seconds=5)
    phone.register(745, call_id="another")
    assert tower.see(story, only="registration-gap") == []


def test_who_refuses_their_registers_is_said(tower: Tower) -> None:
    """The registrar has lost its subscribers, and answers 403; one phone also tries S, which answers 500."""
    story = Story()
    phones = registered(story, 4, granted=300, asks=300)
    for turn in range(6):
        for number, phone in enumerate(phones):
            time = 240 + number + 30 * turn
            phone.told(time + 0.01, phone.ask(time, P, "REGISTER", expires=300, headers=CREDENTIALS), 403)
    phones[1].told(380.01, phones[1].ask(380, S, "REGISTER", expires=300), 500)
    for number, phone in enumerate(phones):
        phone.register(420 + number)
    end(story, 500)
    assert tower.see(story, only="registration-gap") == ["registration-gap sbc 300.011-423.011 4"]
    gap = tower.of("registration-gap")
    assert [(round(entry.time - ORIGIN, 2), entry.what) for entry in gap.timeline] == [
        (300.01, "10.0.0.1:5060/udp refuses REGISTERs of 4 lines with 403"),
        (300.01, "first line without a registration: sip:1001@pbx.example.com"),
        (380.01, "10.0.0.2:5060/udp refuses REGISTERs of 1 line with 500")]
    said = words_of(tower.report, UTC).of(gap)
    assert said == ["4 phones had no registration anywhere from 12:05:00 to 12:07:03.",
                    "10.0.0.1 refused their REGISTERs with 403.", "10.0.0.2 refused REGISTERs of 1 of them with 500."]
    assert any(frame.summary.startswith("403") for frame in gap.evidence)
    written = Happening(gap.start, "known: refuses REGISTERs of 4 lines with love")
    assert words_of(tower.report, UTC).of(replace(gap, timeline=[*gap.timeline, written])) == said
    named = replace(tower.report, lines=[replace(line, group="lines") for line in tower.report.lines])
    hidden = Redaction(Pseudonyms(b"k" * 32)).report(named)
    assert [words.partition(" ")[2] for words in words_of(hidden, UTC).of(hidden.incidents[0])[1:]] == [
        "refused their REGISTERs with 403.", "refused REGISTERs of 1 of them with 500."]


def test_of_very_many_servers_those_that_refused_most_lines_are_said(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 5, granted=300, asks=300)
    for number, phone in enumerate(phones):
        for other in range(5 - number):
            sent = 310 + 8.0 * other + number
            phone.told(sent + 0.01, phone.ask(sent, (f"10.0.3.{other}", 5060), "REGISTER", expires=300), 403)
        phone.register(420 + number)
    end(story, 500)
    tower.see(story, None, P, *((f"10.0.3.{other}", 5060) for other in range(5)))
    said = words_of(tower.report, UTC).of(tower.of("registration-gap"))
    assert said[1:5] == [
        "10.0.3.0 refused their REGISTERs with 403.",
        *(f"10.0.3.{other} refused REGISTERs of {5 - other} of them with 403." for other in range(1, 4))]
    assert "10.0.3.4" not in " ".join(said)


@pytest.mark.parametrize(("status", "more"), [(423, "Min-Expires: 600\r\n"), (401, CHALLENGE)])
def test_what_a_phone_was_told_just_before_it_registered_is_not_why_it_had_not(
    tower: Tower, status: int, more: str
) -> None:
    """No phone was refused before it asked; then the nonce was stale, or the interval too brief."""
    story = Story()
    phones = registered(story, 2, granted=300, asks=300)
    for number, phone in enumerate(phones):
        for time in range(120, 420, 40):
            phone.call(time + number)
        for asks in (430.0 + number, 430.05 + number):
            asked = phone.ask(asks, P, "REGISTER", expires=300, headers=CREDENTIALS)
            phone.told(asks + 0.01, asked, status, headers=more)
        phone.register(430.1 + number)
    end(story, 500)
    tower.see(story, None, P)
    gap = tower.of("registration-gap")
    assert words_of(tower.report, UTC).of(gap) == [
        "2 phones had no registration anywhere from 12:05:00 to 12:07:11."]


def test_a_refusal_of_long_ago_is_not_why(tower: Tower) -> None:
    """P refused at 60, and granted at 90; now it does not answer."""
    story = Story()
    phones = registered(story, 2, granted=300, asks=300)
    for phone in phones:
        phone.told(60.01, phone.ask(60, P, "REGISTER", expires=300, headers=CREDENTIALS), 403)
        phone.register(90)
        for time in range(330, 600, 45):
            phone.silence(time, method="REGISTER")
        phone.register(620)
    end(story, 700)
    tower.see(story)
    assert not [entry for entry in tower.of("registration-gap").timeline if "refuses" in entry.what]


@pytest.mark.parametrize(("late", "seen"), [(0.005, True), (None, False)])
def test_who_is_asked_for_its_password_for_ever_is_refused(tower: Tower, late: float | None, seen: bool) -> None:
    """The registrar no longer knows the passwords. One that challenges once, and then does not answer, is silent."""
    story = Story()
    phones = registered(story, 3, granted=300, asks=300)
    for turn in range(5):
        for number, phone in enumerate(phones):
            time = 305 + number + 30 * turn
            phone.told(time + 0.005, phone.ask(time, P, "REGISTER", expires=300), 401, headers=CHALLENGE)
            again = phone.ask(time + 0.01, P, "REGISTER", expires=300, headers=CREDENTIALS)
            if late is not None:
                phone.told(time + 0.01 + late, again, 401, headers=CHALLENGE)
            for after in (0.5, 1.5, 3.5) if late is None else ():
                phone.again(time + after, again)
    for number, phone in enumerate(phones):
        phone.register(480 + number)
    end(story, 600)
    tower.see(story)
    gap = tower.of("registration-gap")
    told = [entry.what for entry in gap.timeline if "refuses" in entry.what]
    assert told == (["10.0.0.1:5060/udp refuses REGISTERs of 3 lines with 401"] if seen else [])


@pytest.mark.parametrize(("alone", "said"), [
    (True, ["10.0.0.1 did not answer their REGISTERs."]),
    (False, []),   # an outage reports it
])
def test_who_does_not_answer_them_is_said_where_no_outage_tells_of_it(
    tower: Tower, alone: bool, said: list[str]
) -> None:
    """One phone has lost its path to P, which serves the others throughout."""
    story = Story()
    phones = registered(story, 8, granted=300, asks=300)
    lost = phones[:1] if alone else phones
    for phone in lost:
        for time in range(240, 600, 45):
            phone.silence(time, method="REGISTER")
        phone.register(620)
    for time in range(50, 700, 25):
        for phone in phones[1:] if alone else ():
            phone.register(time)
    end(story, 760)
    tower.see(story, None, P)
    gap = tower.of("registration-gap")
    assert words_of(tower.report, UTC).of(gap)[1:] == said
    told = [entry.what for entry in gap.timeline if "does not answer" in entry.what]
    assert told == [f"10.0.0.1:5060/udp does not answer REGISTERs of {'1 line' if alone else '8 lines'}"]


def test_what_ran_out_minutes_before_the_last_registration_ended_is_not_why(tower: Tower) -> None:
    """P did not answer at 240, and S registered the phones; now they do not renew there, for an unknown reason."""
    story = Story()
    phones = registered(story, 3, granted=300, asks=300)
    for number, phone in enumerate(phones):
        phone.register(phone.silence(240 + number, method="REGISTER"), S)
        for time in range(270, 780, 30):
            phone.call(time + number, S, 5.0)
        phone.register(800 + number, S)
    end(story, 900)
    tower.see(story)
    gap = tower.of("registration-gap")
    assert not [entry for entry in gap.timeline if "REGISTERs" in entry.what]
