"""What decoders remember beside flows and streams, when somebody makes up ever more of it."""

from __future__ import annotations

from sipaudit.capture.health import Away, CaptureHealth
from sipaudit.capture.layers import Solicitation
from sipaudit.capture.neighbours import RUN, Neighbours
from sipaudit.turned_away import since, so_far


def asks(neighbours: Neighbours, hosts: range, time: float) -> None:
    for host in hosts:
        said = Solicitation(b"\x0a\x01" + host.to_bytes(2, "big"), b"\x0a\0\0\x01", answers=False, mac=bytes(6))
        assert not neighbours.take(said, time, 0, 1)


def test_who_asks_for_whom_is_remembered_of_so_many_and_those_count_who_may_ask_again() -> None:
    before, neighbours = so_far(), Neighbours()
    asks(neighbours, range(10_500), 0.0)
    assert len(neighbours._asked) == 10_000
    assert since(before) == {"neighbours": 500}
    asks(neighbours, range(20_000, 30_000), RUN + 1)
    assert len(neighbours._asked) == 10_000
    assert since(before) == {"neighbours": 500}


def test_of_a_capture_so_many_steps_of_its_clock_and_pauses_are_noted() -> None:
    before, health = so_far(), CaptureHealth("eth1")
    for number in range(1_500):
        health.clock_step(number, float(number), 1.0)
        health.was_away(Away(number, number + 0.5, 2))
    assert [step[0] for step in health.clock_steps] == list(range(100))
    assert since(before) == {"clock-steps": 1_400}
    assert [away.since for away in health.away] == list(range(500, 1_500))
