"""A probe does not hold more of a phone that does the same thing for longer. The bounds per line, phone, server and
incident are set low; everything reachable from the route is counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bounds.ground import Post, small
from tests.bounds.reach import size
from tests.stories import CHALLENGE, Asked, Handset, P, S, Story

FEW, MANY = 100, 300   # seconds; after 100 all tables are full
Flood = Callable[[Handset, int], None]   # what a phone does in one second

pytestmark = pytest.mark.usefixtures("low")


def sent(phone: Handset, second: int, server: tuple[str, int] = P, method: str = "INVITE", **more: Any) -> Asked:
    return phone.ask(second, server, method, **more)


def requests_that_run_out(phone: Handset, second: int) -> None:
    phone.silence(second)


def servers_asked_in_vain(phone: Handset, second: int) -> None:
    sent(phone, second, (f"10.7.{second // 250}.{second % 250}", 5060))


def servers_that_grant(phone: Handset, second: int) -> None:
    phone.register(second, (f"10.7.{second // 250}.{second % 250}", 5060))


def moves_where_nothing_is_declared(phone: Handset, second: int) -> None:
    """Each move is between two servers that are new."""
    servers_that_grant(phone, second)


def callees(phone: Handset, second: int) -> None:
    phone.silence(second, to=f"sip:{second}@pbx.example.com")


def calls_that_never_end(phone: Handset, second: int) -> None:
    phone.told(second + 0.1, sent(phone, second), 200)


def calls_that_ring_for_ever(phone: Handset, second: int) -> None:
    phone.told(second + 0.1, sent(phone, second), 180)


def calls_given_up(phone: Handset, second: int) -> None:
    asked = sent(phone, second)
    phone.ask(second + 0.2, P, "CANCEL", call_id=asked.call_id)


def refusals(phone: Handset, second: int) -> None:
    phone.told(second + 0.1, sent(phone, second), 503)


def calls_refused_late(phone: Handset, second: int) -> None:
    phone.told(second + 4.0, sent(phone, second), 486)


def ports_that_are_closed(phone: Handset, second: int) -> None:
    phone.story.unreachable(second + 0.1, sent(phone, second).packet, P, phone.place)


def challenges_that_nobody_answers(phone: Handset, second: int) -> None:
    phone.told(second + 0.1, sent(phone, second, method="REGISTER"), 401, headers=CHALLENGE)


def calls_that_the_phone_does_not_take(phone: Handset, second: int) -> None:
    phone.called(second, S, "INVITE", call_id=f"in{second}@far")


def calls_that_the_phone_takes(phone: Handset, second: int) -> None:
    phone.replies(second + 0.1, phone.called(second, S, "INVITE", call_id=f"in{second}@far"), 200)


def subscriptions(phone: Handset, second: int) -> None:
    phone.told(second + 0.1, sent(phone, second, method="SUBSCRIBE", headers="Event: dialog\r\n"), 200,
               headers="Expires: 3600\r\n")


def transfers_within_a_call(phone: Handset, second: int) -> None:
    phone.told(second + 0.1, sent(phone, second, method="INFO", call_id="long", tag="far"), 200)


def moves(phone: Handset, second: int) -> None:
    phone.register(second, (P, S)[second % 2])


def keepalives(phone: Handset, second: int) -> None:
    phone.told(second + 0.1, sent(phone, second, method="OPTIONS"), 200)


def lookups(phone: Handset, second: int) -> None:
    phone.story.lookup(second, phone.place, f"{second}.example.com", "A", answered=False)


def new_lists(phone: Handset, second: int) -> None:
    phone.story.lookup(second, phone.place, "pbx.example.com", "A", *(
        f"pbx.example.com. 60 IN A 10.0.0.{host}" for host in (second % 200 + 1, second % 199 + 2)))


def methods(phone: Handset, second: int) -> None:
    phone.told(second + 0.1, sent(phone, second, method=f"X{second}"), 200)


FLOODS: tuple[Flood, ...] = (
    requests_that_run_out, servers_asked_in_vain, servers_that_grant,
    moves_where_nothing_is_declared, callees, calls_that_never_end, calls_that_ring_for_ever,
    calls_given_up, refusals, calls_refused_late, ports_that_are_closed, challenges_that_nobody_answers,
    calls_that_the_phone_does_not_take, calls_that_the_phone_takes, subscriptions, transfers_within_a_call, moves,
    keepalives, lookups, new_lists, methods,
)
UNDECLARED: tuple[Flood, ...] = (moves_where_nothing_is_declared,)


def held(folder: Path, flood: Flood, count: int) -> int:
    """The number of objects that a probe holds after a phone has done this for so many seconds."""
    folder.mkdir()
    phone = Handset(Story())
    phone.register(0)
    for second in range(10, 10 + count):
        flood(phone, second)
    phone.story.murmur(10 + count, 60 + count)   # until the requests have ended
    post = Post(folder, small(1 << 20), match={"user": "9*"} if flood in UNDECLARED else {})
    post.hear((packet.time, packet.frame) for packet in sorted(phone.story.packets, key=lambda packet: packet.time))
    return size(post.listener.route)


@pytest.mark.parametrize("flood", FLOODS, ids=lambda flood: flood.__name__)
def test_no_table_grows_beyond_its_bound(flood: Flood, tmp_path: Path) -> None:
    """A table without a bound would hold at least one more object for each second."""
    assert held(tmp_path / "many", flood, MANY) - held(tmp_path / "few", flood, FEW) < (MANY - FEW) / 2
