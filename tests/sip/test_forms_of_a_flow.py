"""A phone's own flow has two forms; a flow shared by many phones may have any number."""

from __future__ import annotations

import pytest

from sipaudit.sip.forms import FEW
from tests.sip.known_forms import Reading, renewed
from tests.sip.usual_messages import USUAL

REGISTER = USUAL["REGISTER"]


def of(user: int, message: bytes = REGISTER) -> bytes:
    """The same message from another user, whose name is `user` letters long."""
    return message.replace(b"1001", b"u" * user)


@pytest.mark.parametrize("users", [1, 2, FEW, FEW + 1, 3 * FEW])
def test_each_is_known_again(users: int) -> None:
    reading = Reading().read(of(user) for user in range(1, users + 1))
    assert (reading.parsed, reading.repeats) == (users, 0)
    reading.read(renewed(of(user)) for _ in range(3) for user in range(1, users + 1))
    assert (reading.parsed, reading.repeats) == (users, 3 * users)
    assert reading._forms._count == users


@pytest.mark.parametrize("users", [1, 2, FEW, FEW + 1, 3 * FEW])
def test_each_is_known_when_its_count_has_got_another_digit(users: int) -> None:
    """Users whose messages differ in length by one could then be mistaken for each other."""
    every = [of(3 * user) for user in range(1, users + 1)]
    reading = Reading().read(every)
    for count in (9, 10, 99, 100):
        reading.read(message.replace(b"CSeq: 7", b"CSeq: %d" % count) for message in every)
    assert (reading.parsed, reading.repeats) == (users, 4 * users)
    assert reading._forms._count == users


def test_one_that_is_as_long_but_stands_elsewhere_takes_the_place_of_the_first() -> None:
    first = REGISTER.replace(b"1001", b"uu").replace(b"10.1.0.5", b"10.1.0.55")
    second = REGISTER.replace(b"1001", b"uuu").replace(b"e9f8a7-", b"e9f-")
    assert len(first) != len(second)
    short, long = sorted((first, second), key=len)
    short = short.replace(b"Phone/1.0", b"Phone/1.0" + b"0" * (len(long) - len(short)))
    reading = Reading().read([short, long, long, short, short, long])
    assert (reading.parsed, reading.repeats) == (4, 2)
    assert reading._forms._count == 1
