"""Legs that surely live on are skipped many at a time (`rounds`): the same legs are forgotten, in the same order, as if
each were checked."""

from __future__ import annotations

from collections import deque
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipaudit.reconstruct.bounds import CALL_LIFE, DIALOG_CHECK, DIALOG_LIFE, RINGING_LIFE, SECOND_CHANCES, SWEEP
from sipaudit.reconstruct.dialogs import CallState, Leg, Legs
from sipaudit.reconstruct.phones import Phone

LIMIT = 5
PAUSES = (0.0, 1.0, SWEEP, 30.0, DIALOG_CHECK, 600.0, 4000.0)
DOINGS = (*["add"] * 4, *["sweep"] * 3, "heard", "heard", "call", "up", "over", "given up", "release")


class OneByOne:
    """Legs checked one by one, without any shortcut."""

    def __init__(self) -> None:
        self.ring: deque[tuple[Leg, list[float]]] = deque()

    def add(self, leg: Leg, clock: float) -> None:
        self.ring.append((leg, [clock + DIALOG_CHECK]))
        if len(self.ring) > LIMIT:
            if self._pass_over(lambda leg: leg.state is CallState.UP):
                self._pass_over(lambda leg: leg.phone.lasting)
            self.ring.popleft()

    def _pass_over(self, matters: Any) -> bool:
        for _ in range(SECOND_CHANCES):
            if not matters(self.ring[0][0]):
                return False
            self.ring.rotate(-1)
        return True

    def sweep(self, clock: float) -> list[Leg]:
        lost = []
        while self.ring and self.ring[0][1][0] <= clock:
            leg, check = self.ring[0]
            if leg.seen + leg.life > clock:
                check[0] = clock + DIALOG_CHECK
                self.ring.rotate(-1)
                continue
            self.ring.popleft()
            if leg.state in (CallState.RINGING, CallState.UP):
                lost.append(leg)
        return lost


class _Phone:
    lasting = False


def made(number: int, clock: float, phone: _Phone) -> Leg:
    return Leg(("host", str(number), "tag"), cast(Phone, phone), None, "P", "host:5060", "far", clock)


@settings(max_examples=400)
@given(st.data())
def test_the_same_legs_go_as_one_by_one(data: st.DataObject) -> None:
    legs, others, clock, number = Legs(LIMIT), OneByOne(), 0.0, 0
    phones = [_Phone(), _Phone()]
    phones[1].lasting = True
    for _ in range(data.draw(st.integers(1, 60))):
        clock += data.draw(st.sampled_from(PAUSES))
        doing = data.draw(st.sampled_from(DOINGS))
        if doing == "add":
            number += 1
            leg = made(number, clock, data.draw(st.sampled_from(phones)))
            if data.draw(st.booleans()):
                leg.number, leg.life = number, DIALOG_LIFE
            legs.add(leg)
            others.add(leg, clock)
        elif doing == "sweep":
            assert legs.sweep(clock) == others.sweep(clock)
        elif doing == "release":
            gone = data.draw(st.sampled_from(phones))
            if data.draw(st.integers(0, 5)) == 0:
                legs.release({cast(Phone, gone)})
                others.ring = deque(one for one in others.ring if one[0].phone is not cast(Phone, gone))
        elif legs._ring:
            _happens(doing, data.draw(st.sampled_from(list(legs._ring))), clock, legs)
        assert list(legs._ring) == [leg for leg, _ in others.ring]


def _happens(doing: str, leg: Leg, clock: float, legs: Legs) -> None:
    """What can happen to a leg through `Calls` and `Requests`."""
    if doing == "given up":
        if leg.state is CallState.RINGING:
            leg.state, leg.life = CallState.OVER, DIALOG_LIFE
        return
    leg.seen = clock
    if doing == "call" and leg.number is None:
        leg.number, leg.life = 1, DIALOG_LIFE
        legs.doubt()
    elif doing == "call":
        leg.state, leg.life = CallState.RINGING, RINGING_LIFE
    elif doing == "up" and leg.number is not None:
        leg.state, leg.life = CallState.UP, CALL_LIFE
    elif doing == "over" and leg.number is not None:
        leg.state, leg.life = CallState.OVER, DIALOG_LIFE
    elif leg.number is None:
        leg.life = max(leg.life, 7200.0)


def test_subscriptions_of_which_nothing_is_heard_are_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    legs, clock = Legs(1000), 0.0
    for number in range(500):
        clock += 0.5
        legs.add(made(number, clock, _Phone()))
    walked = []
    check = Legs._check

    def watched(legs: Legs, *arguments: Any) -> None:
        walked.append(arguments[0].count)
        check(legs, *arguments)

    monkeypatch.setattr(Legs, "_check", watched)
    while clock < 3000.0:
        clock += SWEEP
        assert legs.sweep(clock) == []
    assert sum(walked) <= 2 * 500   # each once, and some again beside legs checked for the first time
    assert len(legs) == 500
    while clock < 4000.0:
        clock += SWEEP
        legs.sweep(clock)
    assert len(legs) == 0
