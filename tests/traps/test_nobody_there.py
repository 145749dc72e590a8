"""A call that failed because nobody was there (480, 408) is not the cause of a move minutes later (F4)."""

from __future__ import annotations

import pytest

from sipaudit.capture.write import Endpoint
from tests.stories import Court, Handset, P, S
from tests.traps.ground import any_regime, handset, minute, returns

any_status = pytest.mark.parametrize("status", [480, 408, 500])


def in_vain(phone: Handset, time: float, server: Endpoint, status: int) -> None:
    """A call that fails: whatever the status, the server has answered it."""
    asked = phone.ask(time, server, "INVITE")
    phone.told(time + 0.1, asked, 180)
    phone.told(time + 1, asked, status)
    phone.ask(time + 1.01, server, "ACK", call_id=asked.call_id, tag="far")


def told_moves(court: Court, phone: Handset, regime: str) -> list[str]:
    """Kind, cause and first evidence of each move."""
    line, = court.report(phone.story, minute(regime)).lines
    return [f"{move.kind} {move.cause} {move.evidence[0].summary.partition(' 10')[0]}" for move in line.moves]


@any_regime
@any_status
def test_a_silence_after_it_is_the_cause(court: Court, regime: str, status: int) -> None:
    phone = handset()
    in_vain(phone, 100, P, status)
    phone.fail_over(300, registers=regime != "R0")
    assert told_moves(court, phone, regime) == ["failover timeout INVITE"]


@any_regime
@any_status
def test_a_return_after_it_is_a_return(court: Court, regime: str, status: int) -> None:
    phone = handset()
    phone.fail_over(300, registers=regime != "R0")
    in_vain(phone, 320, S, status)
    returns(phone, regime)
    first = "REGISTER" if regime in ("R2", "R3") else "INVITE"
    assert told_moves(court, phone, regime) == ["failover timeout INVITE", f"failback duration {first}"]


@any_status
def test_r0_a_renewal_where_the_registration_lives_is_no_move(court: Court, status: int) -> None:
    """The registration was diverted to the second server in the outage, and stays there (F5)."""
    phone = handset(granted=300)
    phone.register(phone.silence(240, P, "REGISTER"), S)
    phone.call(250, S)
    returns(phone, "R0")
    in_vain(phone, 400, P, status)
    phone.register(485.5, S)
    phone.call(520, P)
    assert told_moves(court, phone, "R0") == ["failover timeout REGISTER", "failback duration INVITE"]


@any_status
def test_r0_a_try_that_ends_so_was_refused(court: Court, status: int) -> None:
    """The status decides the result of the try, and changes nothing else about the line."""
    phone = handset()
    phone.fail_over(300, registers=False)
    in_vain(phone, 400, P, status)
    phone.call(500, S)
    line, = court.report(phone.story, minute("R0")).lines
    assert [tried.result for tried in line.tries] == ["refused"]
