"""Floods, and clocks that step: memory stays bounded, and a real phone is still followed."""

from __future__ import annotations

import pytest

from sipaudit.model.events import Answered, CallChanged, Lost, Resent, Sent
from sipaudit.reconstruct.bounds import WORDS, Bounds
from sipaudit.reconstruct.traffic import OTHER
from tests.factories import START, dns_answer, request, response
from tests.reconstruct.desk import PHONE, Desk, Handset, P, entry

SMALL = Bounds(transactions=200, strange_transactions=100, legs=100, strange_legs=50, candidates=50, held=16,
               servers=50, sights=100, names=50)


def followed(desk: Desk, phone: Handset, time: float) -> None:
    """The phone renews its registration, and both its events are reported."""
    before = len(desk.events)
    phone.register(time)
    assert [type(event) for event in desk.events[before:]] == [Sent, Answered]
    assert desk.events[before].line == desk.events[0].line


def strange(index: int, method: str, source: str) -> bytes:
    host = source.partition(":")[0]
    return request(method, f"sip:{index}@10.0.0.1", source=source, branch=f"z9hG4bK-{method}-{index}",
                   call_id=f"{index}@x", cseq=1, from_=f"sip:{index}@x.example", to=f"sip:{index}@x.example",
                   from_tag=str(index), contact=f"<sip:{index}@{host}:{1024 + index % 60000}>")


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "SUBSCRIBE", "OPTIONS", "ACK", "BYE", "CANCEL", "FOO"])
@pytest.mark.parametrize("spread", [False, True])
def test_a_flood_of_strangers(method: str, spread: bool) -> None:
    desk = Desk(bounds=SMALL, entries={"sbc": entry(P)})
    phone = Handset(desk)
    phone.register(0)
    for index in range(1500):
        source = f"198.51.{index % 250}.{index // 250}:5060" if spread else "198.51.100.9:5060"
        desk.send(1 + index / 1000, source, P, strange(index, method, source))
        assert desk.rec.open["transactions"] <= 300
        assert desk.rec.open["dialogs"] <= 150
        assert desk.rec.open["candidates"] <= 50
    assert len(desk.rec.lines) == 1
    followed(desk, phone, 3)


def test_methods_beyond_a_bound_are_counted_together() -> None:
    desk = Desk()
    for index in range(WORDS + 40):
        desk.send(index / 100, PHONE, P, strange(index, f"X{index}", PHONE))
    (traffic,) = desk.rec.traffic.values()
    assert len(traffic.methods) == WORDS + 1
    assert traffic.methods[OTHER] == 40
    assert traffic.sip_messages == WORDS + 40


def test_a_new_phone_is_found_in_the_middle_of_a_flood() -> None:
    desk = Desk(bounds=SMALL)
    phone = Handset(desk)
    for index in range(400):
        source = f"198.51.100.{index % 250}:5060"
        desk.send(index / 1000, source, P, strange(index, "REGISTER", source))
        if index == 200:
            asked = phone.compose("REGISTER", expires=60)
            phone.send(index / 1000, P, asked)
        if index == 230:
            phone.hear(index / 1000, P, response(200, asked, contact=phone.contact))
    assert desk.line.aor == phone.aor
    assert desk.rec.evicted["candidates"] > 0


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "BYE"])
def test_a_flood_in_a_phones_name(method: str) -> None:
    """Random AORs, Call-IDs and branches, sent from the address of a phone."""
    desk = Desk(bounds=SMALL)
    phone = Handset(desk)
    phone.register(0)
    for index in range(1500):
        desk.send(1 + index / 1000, PHONE, P, strange(index, method, PHONE))
        assert desk.rec.open["transactions"] <= 300
        assert desk.rec.open["dialogs"] <= 150
    assert len(desk.rec.lines) <= 20
    assert len(desk.phone.lines if len(desk.rec.phones) == 1 else ()) <= 40
    desk.events = desk.events[:1]
    followed(desk, phone, 3)


def test_a_flood_of_responses_and_names() -> None:
    desk = Desk(bounds=SMALL)
    phone = Handset(desk)
    phone.register(0)
    for index in range(1500):
        desk.send(1 + index / 1000, P, PHONE, response(200, strange(index, "INVITE", PHONE)))
        name = f"{index}.example"
        desk.feed(dns_answer(1, "10.1.0.5", name, "A", (name, "A", 60, f"192.0.2.{index % 250}")))
    assert desk.rec.open["transactions"] <= 300
    assert desk.rec.open["dialogs"] <= 150
    assert desk.rec.open["names"] <= 50
    desk.events = desk.events[:1]
    followed(desk, phone, 3)


def test_a_call_that_is_up_outlasts_a_flood_of_calls() -> None:
    desk = Desk(bounds=SMALL)
    phone = Handset(desk)
    phone.register(0)
    invite = phone.invite(1)
    phone.hear(2, P, response(200, invite))
    for index in range(300):
        phone.invite(3 + index / 100, call_id=f"flood-{index}", to=f"sip:{index}@x.example")
    bye = phone.compose("BYE", "sip:2002@pbx.example.com", call_id="call-1", cseq=2, from_tag="me", to_tag="t")
    phone.send(10, P, bye)
    call = next(event.call for event in desk.of(CallChanged))
    assert [event.state for event in desk.of(CallChanged) if event.call == call] == ["ringing", "up", "over"]


def granted(desk: Desk, index: int, time: float, server: str = "203.0.113.9:5060") -> None:
    """An accomplice grants a stranger a registration, which makes it a phone."""
    source = f"198.51.{index % 250}.{index // 250}:5060"
    asked = strange(index, "REGISTER", source)
    desk.send(time, source, server, asked)
    desk.send(time, server, source, response(200, asked, expires=3600))


def test_a_call_of_a_phone_that_has_been_there_rings_through_a_flood_of_granted_registrations() -> None:
    desk = Desk(bounds=SMALL)
    phone = Handset(desk)
    phone.register(0)
    phone.register(400)
    invite = phone.invite(401)
    phone.hear(401.1, P, response(180, invite))
    for index in range(600):
        granted(desk, index, 402 + index / 100)
        source = f"198.51.{index % 250}.{index // 250}:5060"
        desk.send(402 + index / 100, source, P, strange(index, "OPTIONS", source))
    assert desk.rec.evicted["transactions"] > 300
    phone.hear(409, P, response(200, invite))
    assert [event.state for event in desk.of(CallChanged)] == ["ringing", "up"]
    assert not desk.of(Lost)


def test_lines_have_a_bound_and_those_of_long_standing_stay() -> None:
    desk = Desk(bounds=Bounds(lines=40, servers=20, devices=60))
    phone = Handset(desk)
    phone.register(0)
    phone.register(400)
    gone: list[int] = []
    desk.rec.when_dropped(lambda lines, phones: gone.extend(line.number for line in lines))
    for index in range(300):
        granted(desk, index, 402 + index / 100, f"203.0.113.{index % 250}:{5060 + index // 250}")
        assert desk.rec.open["lines"] <= 40
        assert desk.rec.open["phones"] <= 40
        assert desk.rec.open["sights"] <= 40
        assert desk.rec.open["servers"] <= 20
    assert desk.rec.evicted["lines"] == desk.rec.evicted["phones"] == len(set(gone)) == 301 - len(desk.rec.lines)
    before = len(desk.events)
    phone.register(410)
    assert [event.line for event in desk.events[before:]] == [desk.events[0].line] * 2


def test_a_line_that_was_forgotten_comes_back_under_another_number() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    desk.rec.forget(START, START + 100)
    assert not desk.rec.lines
    assert not desk.rec.phones
    assert not desk.rec.open["sights"]
    phone.register(200)
    assert desk.events[-1].line != desk.events[0].line
    assert desk.line.number == desk.events[-1].line


def test_names_that_lead_to_servers_of_nobody_make_room() -> None:
    """Each phone of a flood uses a server of its own, for which DNS gives a list of two."""
    desk = Desk(bounds=Bounds(lines=30, chains=20, names=60))
    for index in range(200):
        server = f"203.0.{index}.1"
        name = f"sip{index}.example"
        desk.feed(dns_answer(1, "10.1.0.5", name, "A", (name, "A", 60, server), (name, "A", 60, f"203.0.{index}.2")))
        granted(desk, index, 2 + index / 100, f"{server}:5060")
    assert desk.rec.evicted["entries"] > 100
    assert desk.rec.open["names"] <= 60 + 20 + 30
    assert len({entry.name for line in desk.rec.lines.values() for entry in line.entries}) > 5


def test_transactions_are_forgotten() -> None:
    desk = Desk()
    phone = Handset(desk)
    for time in range(0, 600, 20):
        phone.register(time)
    assert desk.rec.open["transactions"] <= 5


def test_a_clock_that_is_set_back() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(1000)
    asked = phone.compose("REGISTER", expires=60)
    phone.send(1001, P, asked)
    for time in (400.0, 400.5):  # ten minutes back, in the middle of a transaction
        assert [type(event) for event in phone.send(time, P, asked)] == [Resent]
    (answered,) = phone.hear(400.6, P, response(200, asked, contact=phone.contact))
    assert isinstance(answered, Answered)
    assert not desk.of(Lost)
    for time in range(410, 700, 20):
        phone.register(time)
    assert desk.rec.open["transactions"] <= 5  # and time still passes


def test_a_clock_that_leaps() -> None:
    desk = Desk()
    phone = Handset(desk)
    phone.register(0)
    asked = phone.compose("REGISTER", expires=60)
    phone.send(1, P, asked)
    (answered,) = phone.hear(86_400, P, response(200, asked, contact=phone.contact))
    assert isinstance(answered, Answered)
    assert answered.sent is not None


def test_packets_that_come_out_of_order() -> None:
    desk = Desk()
    phone = Handset(desk)
    for time in range(0, 200, 10):
        phone.register(time)
        phone.register(time - 3)
    assert not desk.of(Lost)
    assert len(desk.of(Answered)) == 40


def test_many_contacts_names_and_forks_cost_no_more_than_is_kept() -> None:
    desk = Desk(bounds=SMALL)
    phone = Handset(desk)
    phone.register(0)
    invite = phone.invite(1)
    for index in range(200):
        phone.hear(2, P, response(183, invite, to_tag=f"fork-{index}"))
    records = [("big.example", "A", 60, f"192.0.2.{index}") for index in range(250)]
    desk.feed(dns_answer(2, "10.1.0.5", "big.example", "A", *records))
    asked = phone.compose("REGISTER", expires=60)
    phone.send(3, P, asked)
    listed = ", ".join(f"<sip:1001@192.0.2.{index}>" for index in range(200))
    phone.hear(3.1, P, response(200, asked, contact=f"{listed}, {phone.contact};expires=30"))
    assert desk.of(Answered)[-1].granted == 30
