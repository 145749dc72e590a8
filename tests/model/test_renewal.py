"""Registrations that are over are stored packed, and come back unchanged when they are needed."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sipaudit.model.events import Answered, Sent
from sipaudit.model.renewal import Arrived, PackedArrival, Renewal, pack_arrival, unpack_renewal
from sipaudit.model.state import Beginning

WHOSE = (7, 8, "10.0.0.1:5060")
TIME = st.floats(0.0, 4e9)
NUMBER = st.integers(0, 2**64 - 1)
TRANSACTION = st.integers(1, 2**64 - 1)
SECONDS = st.none() | st.integers(0, 2**32 - 1)


@dataclass
class Registered:
    """A registration: its REGISTER and the 200 to it."""

    asked: Sent
    granted: Answered


@st.composite
def registered(draw: st.DrawFn) -> Registered:
    sent, expires, transaction = draw(TIME), draw(SECONDS), draw(TRANSACTION)
    asked = Sent(sent, 3, draw(NUMBER), *WHOSE, "REGISTER", transaction, expires=expires,
                 follows=draw(st.none() | TRANSACTION), fresh=draw(st.booleans()), call_id="a@b",
                 proves=draw(st.booleans()), anew=draw(st.booleans()))
    return Registered(asked, Answered(draw(TIME), 3, draw(NUMBER), *WHOSE, "REGISTER", transaction, 200, sent,
                                      granted=draw(SECONDS), own=True, asked=expires))


def arrived(one: Registered, *, anew: bool = True, challenged: bool = False) -> Arrived:
    return Arrived(one.granted, one.asked, Beginning(12.5, WHOSE[2], "a@b") if anew else None, challenged)


@given(registered(), st.booleans(), st.booleans())
def test_a_first_registration_is_what_it_was(one: Registered, anew: bool, challenged: bool) -> None:
    first = arrived(one, anew=anew, challenged=challenged)
    packed = pack_arrival(first)
    assert isinstance(packed, PackedArrival)
    again = packed.unpacked(WHOSE)
    assert again == first
    assert [type(number) for number in (again.granted.granted, again.granted.asked)] \
        == [type(number) for number in (one.granted.granted, one.granted.asked)]   # in a report 3600 is not 3600.0
    assert (again.line(), again.phone()) == (first.line(), first.phone())


@given(registered(), st.booleans())
def test_so_it_is_once_a_renewal_has_come_after_it(one: Registered, anew: bool) -> None:
    first = arrived(one, anew=anew)
    packed = pack_arrival(first)
    renewed = packed.renewed()
    assert isinstance(packed, PackedArrival)
    assert isinstance(renewed, PackedArrival)
    assert len(renewed.packed) < len(packed.packed)
    assert renewed.unpacked(WHOSE) == first.renewed()


@pytest.mark.parametrize("odd", [
    {"retry_after": 5}, {"in_dialog": True}, {"call": 1}, {"sent": 1.0}, {"asked": 60}, {"capture": 4},
])
def test_one_with_anything_odd_is_kept_as_it_is(odd: dict[str, float]) -> None:
    asked = Sent(100.0, 3, 5, *WHOSE, "REGISTER", 1, expires=3600, call_id="a@b")
    granted = Answered(100.1, 3, 6, *WHOSE, "REGISTER", 1, 200, 100.0, granted=3600, own=True, asked=3600)
    assert isinstance(pack_arrival(arrived(Registered(asked, granted))), PackedArrival)
    first = arrived(Registered(asked, replace(granted, **odd)))
    assert pack_arrival(first) is first
    assert first.renewed().asked is None


@given(registered(), TRANSACTION, st.booleans())
def test_the_last_of_a_renewal_is_what_it_was(one: Registered, again: int, challenged: bool) -> None:
    asked, granted = one.asked, one.granted
    renewal = Renewal(3, 1, 50.0, asked.transaction, asked.expires, "a@b", proves=asked.proves and challenged,
                      answered=granted.time, answer_frame=granted.frame, granted=granted.granted or 1)
    if challenged:
        renewal.asked, renewal.asked_frame, renewal.again = asked.time, asked.frame, again
    ended, register = unpack_renewal(renewal.packed(), WHOSE, "a@b")
    assert register == (renewal.second(WHOSE) if challenged else renewal.first(WHOSE))
    assert ended == Answered(granted.time, 3, granted.frame, *WHOSE, "REGISTER", register.transaction, 200,
                             register.time, granted=renewal.granted, own=True, asked=asked.expires)
    assert type(ended.granted) is int
