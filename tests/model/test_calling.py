"""Events of a line that takes the short road (`model.calling`, `run.calls`), compared with the same events followed one
by one: after each event the states and what is remembered must be the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings

from sipaudit.incidents.watch import Watch
from sipaudit.model.calling import Calling
from sipaudit.model.events import Answered, CallChanged, ModelEvent, Received, Replied, Sent
from sipaudit.model.observations import Observation
from sipaudit.model.profile import Profile
from sipaudit.model.replay import Step, step
from sipaudit.model.scenario import parse
from sipaudit.model.stakes import at_home
from sipaudit.model.state import LineState, PhoneState
from sipaudit.run.calls import CallFollowers
from sipaudit.run.replays import Replays
from tests.incidents.subject import KINDS, Told
from tests.model.fleet.story import disobedient, obedient, plain
from tests.model.fleet.wrongs import WRONGS
from tests.model.strings import histories
from tests.roads import remembered_by

ENTRY = "entry: P S"
REGISTERED = (ENTRY, "0 > P REGISTER #1", "0.1 < P 200 REGISTER #1 expires=3600")
ONE_CALL = (
    "10 > P INVITE #2 call=1 id=a to=x", "10 * call P ringing #1", "10.1 < P 407 INVITE #2",
    "10.2 > P INVITE #3 follows=2 call=1 id=a to=x proves", "10.3 < P 100 INVITE #3", "10.4 < P 180 INVITE #3",
    "12 < P 200 INVITE #3", "12 * call P up #1", "60 > P BYE #4 dialog call=1", "60 * call P over #1",
    "60.1 < P 200 BYE #4",
)


class Replay(Told):
    """The only replay of a line, with what `CallFollowers` needs of it."""

    index = 0

    def __init__(self, known: Profile, number: int) -> None:
        super().__init__(known)
        self.number = number
        self.written = self.state
        self.calling: Calling | None = None
        self.kept = self.history
        self.waiting: tuple[Observation, ...] = ()
        self.record = SimpleNamespace(follower=None)

    def is_home(self, server: str) -> bool:
        return at_home(server, lambda: self.known)

    def write_down(self) -> None:
        assert self.calling is not None
        self.written, self.calling = self.calling.line_after(self.written), None


class Beside:
    """Follows events one by one, and also by the short road where `CallFollowers` allow it: after each event it checks
    that both have the same states and that both watches for incidents remember the same. `taken` counts the events that
    took the short road, by method and status."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.replays: dict[int, Replay] = {}
        self.watch, self.calm_watch = (
            Watch(KINDS, lambda line: [self.replays[line]], lambda: False) for _ in range(2))
        self.phone = PhoneState()
        self.phones: dict[int, PhoneState] = {}
        self.timed: set[int] = set()
        replays = cast(Replays, SimpleNamespace(only=self.replays.get))
        self.calls = CallFollowers(replays, self.phones, self.timed, self.calm_watch)
        self.taken: Counter[str | int] = Counter()

    def follow(self, event: ModelEvent) -> None:
        going_on = event.phone in self.calls.followers
        if going_on and isinstance(event, Received | Replied):
            return   # it is skipped
        told, before = self.replays.setdefault(event.line, Replay(self.profile, event.line)), self.phone
        in_short = self.calls.takes(event) if going_on else isinstance(event, Sent) and self.calls.begins(event)
        if not in_short:
            self.calls.end(event.phone)
        tried = [one.result for one in told.history.tries]
        taken = step(told.state, before, event, told.profile, told.waiting)
        told.state, told.waiting, self.phone = taken.after, taken.waiting, taken.phone
        told.history.take(taken, told)
        self.watch.follow(taken, told, before)
        self.watch.of_phone(event, [told], before)
        if in_short:
            assert [one.result for one in told.history.tries] == tried
            self._agrees(taken)
            return
        assert (told.written, self.phones.get(event.phone, before)) == (taken.before, before)
        told.written, self.phones[event.phone] = taken.after, taken.phone
        self.calm_watch.follow(taken, told, before)
        self.calm_watch.of_phone(event, [told], before)

    @property
    def going_on(self) -> tuple[Calling, LineState, PhoneState] | None:
        """The line's `Calling`, and the line and phone states written before it; None without one."""
        for phone, follower in self.calls.followers.items():
            return follower.calling, follower.replay.written, self.phones[phone]
        return None

    def _agrees(self, taken: Step) -> None:
        assert self.going_on is not None
        calling, line, phone = self.going_on
        event = taken.event
        self.taken[event.status if isinstance(event, Answered) else event.state if isinstance(event, CallChanged)
                   else event.method if isinstance(event, Sent) else ""] += 1
        assert not taken.observations
        assert not taken.waiting
        assert calling.line_after(line) == taken.after
        assert calling.phone_after(phone) == taken.phone
        first, second, third = calling.line_after(line).stays
        assert first is second is third
        assert [*remembered_by(self.calm_watch)] == [*remembered_by(self.watch)]


def takes(calling: Calling, event: ModelEvent) -> bool:
    """Whether `calling` takes an event."""
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
    assert {"INVITE", "BYE", "SUBSCRIBE", 180, 200, "ringing", "up", "over"} <= taken.keys()
    assert taken.total() > 1000, taken


def begun(*lines: str) -> tuple[Beside, ModelEvent]:
    """Follows all of these events but the last; returns the `Beside` and the last event, which is still to come."""
    scenario = parse("\n".join([*REGISTERED, *lines, ""]))
    following = Beside(scenario.profile)
    for event in scenario.events[:-1]:
        following.follow(event)
    return following, scenario.events[-1]


def test_a_call_is_taken_whole() -> None:
    following, last = begun(*ONE_CALL)
    following.follow(last)
    assert following.taken.total() == len(ONE_CALL)


@pytest.mark.parametrize(("before", "odd"), [
    (1, "10 > S INVITE #9 call=2"),
    (1, "10.1 > P INVITE #9 call=2"),                 # while an INVITE is unanswered
    (1, "10.5 < P 200 INVITE #2"),                    # late: the phone may have given up on it
    (1, "10.5 < P 100 INVITE #2"),
    (1, "10.1 < P 503 INVITE #2"),
    (1, "10.1 < P 486 INVITE #2"),
    (1, "10.1 < P 302 INVITE #2"),
    (1, "10.1 >> P INVITE #2"),
    (1, "10.1 ! P icmp"),
    (1, "10.1 * call S ringing #1"),
    (2, "10.1 * call P ringing #2"),                  # another call
    (2, "10.1 * lost a jump"),
    (2, "10.1 > P CANCEL #9 call=1"),
    (3, "10.2 > P INVITE #9 call=2"),                 # as if it had not received the challenge
    (3, "10.2 > P INVITE #9 follows=7 call=2"),
    (3, "10.2 > P INVITE #9 follows=2 call=1 emergency"),
    (3, "10.2 > P SUBSCRIBE #9 follows=2 expires=0"),
    (4, "10.3 < P 200 INVITE #2"),
    (8, "60 > P BYE #9 dialog call=2"),               # of a call that began before the capture
    (8, "60 > P BYE #9 dialog call=1 follows=2"),
    (8, "60 > P CANCEL #9 dialog call=1"),
    (8, "60 > P OPTIONS #9"),
    (8, "60 > P REGISTER #9"),
    (8, "60 > P INVITE #9 call=2 emergency"),
    (8, "60 > P SUBSCRIBE #9 expires=0"),
    (8, "0.05 > P SUBSCRIBE #9"),                     # sent before the line came to its server
    (8, "3601 > P BYE #9 dialog call=1"),             # its registration has expired
    (8, "60 * boot"),
    (8, "60 * dns ttl=60"),
    (9, "60.1 < P 481 BYE #4"),
])
def test_whatever_is_not_just_that_ends_it(before: int, odd: str) -> None:
    following, event = begun(*ONE_CALL[:before], odd)
    assert following.going_on is not None
    calling, line, phone = following.going_on
    assert not takes(calling, event)
    assert (calling.line_after(line), calling.phone_after(phone)) == (following.replays[0].state, following.phone)


@pytest.mark.parametrize("lines", [
    ["5 > P INVITE #9 call=1 follows=1"],
    ["5 > P INVITE #9 call=1 dialog"],
    ["5 > P OPTIONS #9"],
    ["5 > S INVITE #9 call=1"],
    ["4 > P OPTIONS #8", "5 > P INVITE #9 call=1"],                           # a request is unanswered
    ["4 > P OPTIONS #8", "4.1 < P 503 OPTIONS #8", "5 > P INVITE #9 call=1"],
    ["4 > S OPTIONS #8", "5 > P INVITE #9 call=1"],                           # it sent a request to another server
    ["4 ! P icmp", "5 > P INVITE #9 call=1"],
    ["4 > P OPTIONS #8", "4.1 < P 401 OPTIONS #8", "5 > P INVITE #9 call=1"],
    ["4 * call P ringing #7", "4 * call P ringing #8", "5 > P INVITE #9 call=1"],
    ["0 > P INVITE #9 call=1"],
    ["5 > S INVITE #7 call=1 id=a", "6 * boot seen", "7 > P REGISTER #8", "7.1 < P 200 REGISTER #8 expires=3600",
     "8 > P INVITE #9 call=2"],                                               # the result of the try is unknown
    ["3590 > P OPTIONS #6", "3590.1 < P 200 OPTIONS #6", "3700 > P INVITE #7 call=1", "3700.1 < P 200 INVITE #7",
     "5 > P INVITE #9 call=2"],                                               # a gap from the future
])
def test_nothing_begins_where_anything_is_open(lines: list[str]) -> None:
    following, event = begun(*lines)
    following.follow(event)
    assert following.going_on is None


def test_a_call_that_runs_out_leaves_its_phone_quiet_since_then() -> None:
    """The phone counts as quiet from the expiry on, however late that is noticed (`absorb_phone`)."""
    story = parse("\n".join([*REGISTERED, "10 > P INVITE #2 call=1 id=a to=x", "10 * call P ringing #1",
                             "200 * call P over #1", "300 > P INVITE #3 call=2 id=b to=x"]))
    beside(story.events, story.profile)
