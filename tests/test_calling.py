"""What lines do where nothing is wrong is taken in short (`model.calling`): whatever disturbs it, all that is found and
known must be what following it event by event finds and knows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json

from bench.captures import Workload
from sipaudit.model.calling import Calling, begins_to_call
from sipaudit.model.events import Answered, CallChanged, ModelEvent, Received, Replied, Sent
from sipaudit.model.profile import Profile
from sipaudit.model.replay import Step, step
from sipaudit.model.scenario import parse
from sipaudit.model.stakes import at_home
from sipaudit.model.state import LineState, PhoneState
from sipaudit.run import calls
from sipaudit.run.run import Run
from tests.model.fleet.story import disobedient, obedient, plain
from tests.model.fleet.wrongs import WRONGS
from tests.model.strings import histories
from tests.stories import Court
from tests.test_arrival import counted
from tests.test_loss import declared, told
from tests.test_notified import ODD
from tests.test_routine import LIVES
from tests.test_short_road import Packets, captured, disturbed
from tests.traps.test_lives import lived

CALLING = Workload("calling", phones=6, rounds=2, calls=12, talk=9.0, watch=True, spread=20.0)
ONE_CALL = ("INVITE", 407, "INVITE", 100, 180, 200, "BYE", 200)


@pytest.fixture(scope="module")
def packets(tmp_path_factory: pytest.TempPathFactory) -> Packets:
    return captured(tmp_path_factory.mktemp("calling"), CALLING)


def both_ways(folder: Path, packets: Packets) -> None:
    in_short = all_of(folder, packets)
    with patch.object(calls, "begins_to_call", _never):
        assert all_of(folder, packets) == in_short


def all_of(folder: Path, packets: Packets) -> tuple[Any, ...]:
    """What is found and known, and what is counted and remembered of requests and calls."""
    runs: list[Run] = []
    init = Run.__init__

    def made(run: Run, *arguments: Any, **named: Any) -> None:
        runs.append(run)
        init(run, *arguments, **named)

    with patch.object(Run, "__init__", made):
        found = counted(folder, packets)
    watch = runs[0].auditor.watch
    subscriptions = watch._subscriptions
    assert subscriptions is not None
    return (*found, list(watch.requests._open), [
        (number, one.server, one.up, one.last, one.left, list(one.offers)) for number, one in watch.calls._up.items()
    ], [(key, one.event, one.failed, one.made) for key, one in watch.calls._attempts.items()],
        [(call, one.event) for call, one in watch.calls._by_call.items()], [
            (number, [(call_id, one.event, one.server, one.until, one.left, one.dead) for call_id, one in own.items()])
            for number, own in subscriptions.of.items()
        ], [(one.lives, one.failing.keys(), one.refusals) for one in watch.tally.servers.values()])


def _never(*_: Any) -> bool:
    return False


@settings(max_examples=100)
@given(seed=st.integers(0, 1 << 32), share=st.sampled_from([0.003, 0.01, 0.05, 0.3]),
       lasts=st.sampled_from([30.0, 1e9, 1e9]))
def test_both_ways_come_to_the_same(
    packets: Packets, tmp_path_factory: pytest.TempPathFactory, seed: int, share: float, lasts: float
) -> None:
    """Also where the capture ends while calls are made."""
    odd = [packet for packet in sorted(disturbed(packets, share, random.Random(seed), ODD))
           if packet[0] < packets[0][0] + lasts]
    both_ways(tmp_path_factory.mktemp("calling"), odd or packets[:1])


@pytest.mark.parametrize("run", range(len(LIVES)))
@pytest.mark.parametrize("share", [0.0, 0.02])
def test_so_are_lives_in_all_regimes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: int, share: float) -> None:
    story, site = lived(*LIVES[run])
    if share:
        story = story.thinned(share, run)
    at_once = json.encode(Court(tmp_path).report(story, site))
    monkeypatch.setattr(calls, "begins_to_call", _never)
    assert json.encode(Court(tmp_path).report(story, site)) == at_once


@pytest.mark.parametrize("seed", range(16))
def test_so_are_lives_with_many_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    history = plain(seed)
    story, site = told(history), declared(history.habits)
    at_once = json.encode(Court(tmp_path).report(story, site))
    monkeypatch.setattr(calls, "begins_to_call", _never)
    assert json.encode(Court(tmp_path).report(story, site)) == at_once


# -- the model alone


class Beside:
    """Follows events one by one, and beside that in short where it may be so: asks after each whether both agree.
    `taken` counts what was taken in short, by method and status."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.lines: dict[int, LineState] = {}
        self.phone = PhoneState()
        self.going_on: tuple[Calling, LineState, PhoneState] | None = None
        self.taken: Counter[str | int] = Counter()

    def follow(self, event: ModelEvent) -> None:
        if self.going_on is not None and isinstance(event, Received | Replied):
            return   # it passes by
        line = self.lines.get(event.line, LineState())
        in_short = self._takes(event, line)
        step_ = step(line, self.phone, event, lambda: self.profile)
        self.lines[event.line], self.phone = step_.after, step_.phone
        if in_short:
            self._agrees(step_)

    def _takes(self, event: ModelEvent, line: LineState) -> bool:
        if self.going_on is not None and takes(self.going_on[0], event):
            return True
        self.going_on = None
        if isinstance(event, Sent) and begins_to_call(line, self.phone, event) \
                and at_home(event.server, lambda: self.profile):
            calling = Calling(line, self.phone, event)
            if calling.asks(event):
                self.going_on = calling, line, self.phone
                return True
        return False

    def _agrees(self, taken: Step) -> None:
        assert self.going_on is not None
        calling, line, phone = self.going_on
        event = taken.event
        self.taken[getattr(event, "status", None) or getattr(event, "state", None) or getattr(event, "method", "")] += 1
        assert not (taken.observations or taken.waiting)
        assert calling.line_after(line) == taken.after
        assert calling.phone_after(phone) == taken.phone
        first, second, third = calling.line_after(line).stays
        assert first is second is third


def takes(calling: Calling, event: ModelEvent) -> bool:
    """Whether it takes an event."""
    if isinstance(event, Sent):
        return calling.asks(event)
    if isinstance(event, Answered):
        return calling.answers(event)
    return isinstance(event, CallChanged) and calling.changes(event)


def beside(events: Sequence[ModelEvent], profile: Profile) -> Counter[str | int]:
    following = Beside(profile)
    for event in events:
        following.follow(event)
    return following.taken


@settings(max_examples=300)
@given(histories(60))
def test_the_states_are_those_that_any_events_leave(events: list[ModelEvent]) -> None:
    beside([*parse("entry: P S\n-9 > P REGISTER #900\n-8.9 < P 200 REGISTER #900 expires=9999\n").events, *events],
           parse("entry: P S\n").profile)


def test_the_states_are_those_that_lives_leave() -> None:
    taken: Counter[str | int] = Counter()
    lives = [*map(obedient, range(150)), *map(plain, range(50)),
             *(disobedient(seed, wrong.rule) for seed, wrong in enumerate(WRONGS))]
    for life in lives:
        taken += beside(life.events, life.profiles[0][1])
    assert {"INVITE", "BYE", "SUBSCRIBE", 180, 200, 401, "ringing", "up", "over"} <= taken.keys() | {401}
    assert taken.total() > 1000, taken
