"""Tables of the incident watch that a site with many phones fills: each keeps its bound, which is set low here."""

from __future__ import annotations

from collections.abc import Callable, Sized
from operator import attrgetter
from pathlib import Path

import pytest

from tests.bounds.ground import LOW, Post, small
from tests.stories import Handset, P, S, Story

pytestmark = pytest.mark.usefixtures("low")

PHONES = 4 * LOW
Life = Callable[[Handset, float], object]   # of one phone; each phone starts half a second after the one before


def calls_that_are_up(phone: Handset, time: float) -> None:
    phone.told(time + 0.1, phone.ask(time, P, "INVITE"), 200)


def registrations_that_run_out(phone: Handset, time: float) -> None:
    """The registration is renewed in vain, once before and once after it expires."""
    phone.silence(time + 80, P, "REGISTER")
    phone.silence(time + 170, P, "REGISTER")


def registrations_that_come_late(phone: Handset, time: float) -> None:
    registrations_that_run_out(phone, time)
    phone.register(time + 200, P)


def moves(phone: Handset, time: float) -> None:
    for index in range(1, 4):
        phone.register(time + 20 * index, (P, S)[index % 2])


def subscriptions(phone: Handset, time: float) -> None:
    phone.told(time + 0.1, phone.ask(time, P, "SUBSCRIBE", headers="Event: dialog\r\n"), 200,
               headers="Expires: 3600\r\n")


def requests_that_wait(phone: Handset, time: float) -> None:
    for number in range(8):
        phone.ask(time + number / 100, P, "INVITE")


def heard(folder: Path, life: Life) -> Post:
    story = Story()
    for index in range(PHONES):
        phone = Handset(story, str(1001 + index), (f"10.1.0.{index + 1}", 5060), granted=120)
        phone.register(index / 2)
        life(phone, 1 + index / 2)
    story.murmur(0, 320)
    post = Post(folder, small(64 << 20))
    post.hear((packet.time, packet.frame) for packet in sorted(story.packets, key=lambda packet: packet.time)
              if packet.time < (320 if life is not requests_that_wait else PHONES / 2))
    return post


@pytest.mark.parametrize(("life", "table"), [
    (calls_that_are_up, "calls._up"), (registrations_that_run_out, "gaps.open"),
    (registrations_that_come_late, "gaps._over"),
    (moves, "_flapping._times"), (moves, "_split._count"), (subscriptions, "_subscriptions._count"),
    (requests_that_wait, "requests._open"),
])
def test_a_table_holds_what_its_bound_says(tmp_path: Path, life: Life, table: str) -> None:
    found = attrgetter(table)(heard(tmp_path, life).listener.route.auditor.watch)
    assert LOW / 2 < (len(found) if isinstance(found, Sized) else found) <= LOW
