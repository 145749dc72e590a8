"""Floods, and clocks that step: memory stays bounded, and a real phone is followed all the same."""

from __future__ import annotations

import pytest

from sipaudit.model.events import Answered, CallChanged, Lost, Resent, Sent
from sipaudit.reconstruct.bounds import Bounds
from tests.factories import dns_answer, request, response
from tests.reconstruct.desk import PHONE, Desk, Handset, P, entry

SMALL = Bounds(transactions=200, strange_transactions=100, legs=100, strange_legs=50, candidates=50, held=16,
               servers=50, sights=100, names=50)


def followed(desk: Desk, phone: Handset, time: float) -> None:
    """The phone renews its registration, and every bit of it is seen."""
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
    """Random AORs, Call-IDs, branches, from the address of a phone."""
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
    assert desk.rec.open["transactions"] <= 5  # and time passes on


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
