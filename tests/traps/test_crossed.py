"""What was dialled while the line moved leaves for the server left just after the move (F8, B6)."""

from __future__ import annotations

import pytest

from tests.stories import Court, P, S
from tests.traps.ground import accused, handset, minute

ABOUT = ("failback-without-registration",)


@pytest.mark.parametrize("regime", ["R2", "R3"])
@pytest.mark.parametrize(("later", "found"), [
    (0.009, []), (0.5, ["306.014 failback-without-registration 1001 10.0.0.1"]),
])
def test_a_call_that_crosses_the_move_is_no_return(court: Court, regime: str, later: float, found: list[str]) -> None:
    """It meets the same ICMP error, and goes on to S."""
    phone = handset()
    ready = phone.register(phone.silence(300, P), S)
    call = phone.ask(ready + later, P, "INVITE")
    phone.story.unreachable(ready + later + 0.002, call.packet, P, phone.place)
    phone.call(ready + later + 0.003, S, 5.0, call_id=call.call_id)
    phone.register(400, P)
    assert [" ".join(one.split()[:4]) for one in accused(court(phone.story, minute(regime)))] == found
