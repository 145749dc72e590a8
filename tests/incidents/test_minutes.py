"""Past minutes are packed, and yield the same as unpacked ones, even if data for them arrives late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipaudit.incidents.minutes import MINUTE, Minute, Minutes, as_reported, wanted_minutes
from sipaudit.incidents.tally import Tally
from sipaudit.model.captures import ServerMinute
from sipaudit.model.events import Sent

SERVER = "10.0.0.1:5060"

Seen = tuple[float, float, str, int]


def told(seen: list[Seen]) -> list[ServerMinute]:
    """The rows of a server for requests that are answered at once, each with another found unanswered some time
    before."""
    tally = Tally()
    for number, (time, before, method, status) in enumerate(seen):
        tally.asked(Sent(time, 0, number, 1, 1, SERVER, method, number))
        server = tally.now(SERVER, time)
        server.minute.answered(status)
        server.minute.took(before / 100)
        tally.minute_then(server, max(time - before, 0.0)).unanswered += 1
    every = ((key, minute) for key, server in tally.servers.items()
             for minute in wanted_minutes(server.minutes, lambda *_: True))
    return as_reported(every, str)


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0, 200), st.sampled_from(["REGISTER", "INVITE"]),
                          st.sampled_from([200, 401, 503]))))
def test_what_was_packed_tells_the_same(seen: list[Seen]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        packed = told(seen)
        patch.setattr(Minutes, "lay_by", lambda *_: None)
        assert told(seen) == packed


def test_the_minutes_that_are_over_are_packed() -> None:
    tally = Tally()
    for number in range(5):
        tally.now(SERVER, number * MINUTE)
    kinds = [type(minute) for minute in tally.servers[SERVER].minutes.values()]
    assert kinds == [bytes, bytes, bytes, Minute, Minute]


@pytest.mark.parametrize(("took", "told"), [(0.2344, 0.234), (0.9996, 1.0), (2.38, 2.3), (50.0, 40.0)])
def test_how_long_answers_took_is_told_to_the_millisecond_and_above_a_second_to_a_tenth(took: float, told: float
                                                                                         ) -> None:
    minute = Minute(0.0)
    minute.took(took)
    assert minute.median() == told
