"""Requests that wait for an answer: how many are kept, and how room is made."""

from __future__ import annotations

from typing import Any, cast

import pytest

from sipaudit.incidents.draft import Watched
from sipaudit.incidents.requests import OpenRequests
from sipaudit.model.events import Sent


class Line:
    """The attributes of a line that are needed here."""

    number = 7
    silence = 3.15


def waiting(requests: OpenRequests) -> list[int]:
    return [transaction for transaction in range(10) if requests.pop(transaction, None) is not None]


@pytest.fixture(params=[True, False], ids=["rolling", "of a capture"])
def five(request: Any) -> OpenRequests:
    """Room for three requests; five were sent, one a second."""
    requests = OpenRequests(rolling=request.param)
    requests.tighten(3)
    for number in range(5):
        requests.add(Sent(float(number), 0, number, 1, 7, "S", "REGISTER", number), cast(Watched, Line()))
    return requests


def test_a_full_table_makes_room_where_there_is_no_end(five: OpenRequests, request: Any) -> None:
    assert (len(five), five.evicted) == (3, 2)
    assert waiting(five) == ([2, 3, 4] if "rolling" in request.node.name else [0, 1, 2])


def test_a_tighter_bound_counts_at_once(five: OpenRequests) -> None:
    five.tighten(1)
    assert (len(five), five.evicted) == (1, 4)


@pytest.mark.parametrize(("line", "left"), [(7, 0), (8, 3)])
def test_those_of_a_line_that_is_forgotten_go(five: OpenRequests, line: int, left: int) -> None:
    five.release({line})
    assert len(five) == left


def test_after_a_pause_nothing_waits(five: OpenRequests) -> None:
    five.clear()
    assert waiting(five) == []
