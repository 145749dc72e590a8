"""The memory of header lines can be limited to a number of bytes, which changes no message."""

from __future__ import annotations

from sipaudit.sip.parse import Parser
from tests.factories import request

ROOM = 100_000


def message(number: int) -> bytes:
    return request("REGISTER", "sip:pbx.example.com", source="10.0.0.9:5060", branch=f"z9hG4bK{number}",
                   call_id=f"{number}@x", cseq=1, from_=f"sip:{'u' * 300}{number}@x.example",
                   to=f"sip:{'v' * 300}{number}@x.example", user_agent=f"{'agent ' * 50}{number}")


def test_long_lines_that_never_come_again_take_no_more_than_the_room() -> None:
    small, large = Parser(), Parser()
    small.tighten(ROOM)
    for number in range(500):
        assert small.parse(message(number)) == large.parse(message(number))
        assert sum(len(line) for memo in small._kept for line in memo) < ROOM
    assert sum(len(line) for memo in large._kept for line in memo) > 3 * ROOM
