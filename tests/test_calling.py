"""What lines do where nothing is wrong is taken in short (`model.calling`): whatever disturbs it, all that is found and
known must be what following it event by event finds and knows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from bench.captures import SITE, Workload
from sipaudit.incidents.watch import Watch
from sipaudit.model.calling import Calling
from sipaudit.model.events import Answered, CallChanged, ModelEvent, Received, Replied, Sent
from sipaudit.model.observations import Observation
from sipaudit.model.profile import Profile
from sipaudit.model.replay import Step, step
from sipaudit.model.scenario import parse
from sipaudit.model.settings import ServerEntry
from sipaudit.model.stakes import at_home
from sipaudit.model.state import LineState, PhoneState
from sipaudit.pipeline import Job
from sipaudit.reconstruct.entries import View
from sipaudit.reconstruct.heard import Heard
from sipaudit.reconstruct.reconstruction import Reconstruction
from sipaudit.run import calls
from sipaudit.run.auditor import Auditor
from sipaudit.run.calls import Calls
from sipaudit.run.run import Run
from tests.incidents.test_properties import KINDS, Told
from tests.model.fleet.story import disobedient, obedient, plain
from tests.model.fleet.wrongs import WRONGS
from tests.model.strings import histories
from tests.stories import Court, Handset, P, S, Story, handsets, site
from tests.test_arrival import counted
from tests.test_loss import declared, told
from tests.test_notified import ODD
from tests.test_routine import LIVES
from tests.test_short_road import Packets, captured, disturbed, written
from tests.traps.test_lives import lived
from tests.wire import ORIGIN

CALLING = Workload("calling", phones=6, rounds=2, calls=12, talk=9.0, watch=True, spread=20.0)
ENTRY = "entry: P S"
REGISTERED = (ENTRY, "0 > P REGISTER #1", "0.1 < P 200 REGISTER #1 expires=3600")
ONE_CALL = (
    "10 > P INVITE #2 call=1 id=a to=x", "10 * call P #1 ringing", "10.1 < P 407 INVITE #2",
    "10.2 > P INVITE #3 follows=2 call=1 id=a to=x proves", "10.3 < P 100 INVITE #3", "10.4 < P 180 INVITE #3",
    "12 < P 200 INVITE #3", "12 * call P #1 up", "60 > P BYE #4 dialog call=1", "60 * call P #1 over",
    "60.1 < P 200 BYE #4",
)


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
    return *found, *remembered_by(runs[0].auditor.watch)


def remembered_by(watch: Watch) -> Iterator[Any]:
    """What those who look for incidents remember of requests, calls and servers."""
    calls, subscriptions = watch.calls, watch._subscriptions
    assert subscriptions is not None
    yield watch.timers.now
    yield [(line, spell.start, spell.seen) for line, spell in watch.gaps.open.items()]
    yield [(number, one.repeated) for number, one in watch.requests._open.items()]
    yield [(number, one.server, one.up, one.last, one.left, list(one.offers)) for number, one in calls._up.items()]
    yield [(key, one.event, one.failed, one.made) for key, one in calls._attempts.items()]
    yield [(call, one.event) for call, one in calls._by_call.items()]
    for number, own in subscriptions.of.items():
        yield number, [(call_id, one.event, one.server, one.until, one.left, one.dead) for call_id, one in own.items()]
    for key, one in watch.tally.servers.items():
        yield key, one.users, one.served, one.asking, one.answered, one.lives, one.registered
        yield one.failing.keys(), one.refusals, [minute if isinstance(minute, bytes) else minute.packed()
                                                 for minute in one.minutes.values()]


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


@pytest.mark.parametrize("long", [False, True])
def test_what_another_line_waits_for_is_judged_by_what_was_known_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, long: bool
) -> None:
    """The phone's second call into silence should have gone to the next server. Its other line, for which that one is
    the only one, calls there when the time for it is over: that excuses nothing. (Somebody else's packets show that
    time has passed.)"""
    story = Story()
    one, other = (Handset(story, user=user) for user in ("1001", "1002"))
    one.register(0, P)
    other.register(1, S)
    one.silence(300, P)
    one.silence(400, P)
    Handset(story, user="1003", place=("10.1.0.6", 5060)).register(445, P)
    other.call(500, S, 20)
    one.register(1000, P)
    patient = {"reRegisterOn": 0, "retryMaxCount": 3, "retryTimeOut": 0}
    two = site(patient, P, S)
    two["entries"]["other"] = site(patient, S)["entries"]["sbc"]
    two["lines"].insert(0, {"match": {"user": "1002"}, "entry": "other", "settings": patient})
    if long:
        monkeypatch.setattr(calls, "begins_to_call", _never)
    assert Court(tmp_path, ["failover-missing"])(story, two) == ["400.000 failover-missing 1001 10.0.0.1 certain"]


# -- the model alone


class Replay(Told):
    """A line as `Calls` asks it, the only one of its number."""

    index = 0

    def __init__(self, known: Profile, number: int) -> None:
        super().__init__(known)
        self.number = number
        self.written = self.state
        self.calling: Calling | None = None
        self.waiting: tuple[Observation, ...] = ()
        self.record = SimpleNamespace(goes_on=None)

    def is_home(self, server: str) -> bool:
        return at_home(server, lambda: self.known)

    def write_down(self) -> None:
        assert self.calling is not None
        self.written, self.calling = self.calling.line_after(self.written), None


class Beside:
    """Follows events one by one, and beside that in short where `Calls` says that it may be so: asks after each whether
    both agree, and who looks for incidents. `taken` counts what was taken in short, by method and status."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.replays: dict[int, Replay] = {}
        self.watch, self.calm_watch = (
            Watch(KINDS, lambda line: [self.replays[line]], lambda: False) for _ in range(2))
        self.phone = PhoneState()
        self.phones: dict[int, PhoneState] = {}
        self.timed: set[int] = set()
        self.calls = Calls(SimpleNamespace(only=self.replays.get), self.phones, self.timed, self.calm_watch)  # type: ignore[arg-type]
        self.taken: Counter[str | int] = Counter()

    def follow(self, event: ModelEvent) -> None:
        going_on = event.phone in self.calls.going_on
        if going_on and isinstance(event, Received | Replied):
            return   # it passes by
        told, before = self.replays.setdefault(event.line, Replay(self.profile, event.line)), self.phone
        in_short = self.calls.takes(event) if going_on else isinstance(event, Sent) and self.calls.begins(event)
        if not in_short:
            self.calls.end(event.phone)
        tried = [one.result for one in told.history.tries]
        taken = step(told.state, before, event, told.profile, told.waiting)
        told.state, told.waiting, self.phone = taken.after, taken.waiting, taken.phone
        told.history.take(taken, told)
        self.watch.follow(taken, told, before)
        self.watch.of_phone(event, [told])
        if in_short:
            assert [one.result for one in told.history.tries] == tried
            self._agrees(taken)
            return
        assert (told.written, self.phones.get(event.phone, before)) == (taken.before, before)
        told.written, self.phones[event.phone] = taken.after, taken.phone
        self.calm_watch.follow(taken, told, before)
        self.calm_watch.of_phone(event, [told])

    @property
    def going_on(self) -> tuple[Calling, LineState, PhoneState] | None:
        """What goes on, and the states that were written before."""
        for phone, going in self.calls.going_on.items():
            return going.calling, going.replay.written, self.phones[phone]
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


def begun(*lines: str) -> tuple[Beside, ModelEvent]:
    """What goes on after all of these but the last, which is still to come."""
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
    (1, "10.1 > P INVITE #9 call=2"),                 # while one waits
    (1, "10.5 < P 200 INVITE #2"),                    # late: the phone may have given it up
    (1, "10.5 < P 100 INVITE #2"),
    (1, "10.1 < P 503 INVITE #2"),
    (1, "10.1 < P 486 INVITE #2"),
    (1, "10.1 < P 302 INVITE #2"),
    (1, "10.1 >> P INVITE #2"),
    (1, "10.1 ! P icmp"),
    (1, "10.1 * call S #1 ringing"),
    (2, "10.1 * call P #2 ringing"),                  # another call
    (2, "10.1 * lost a jump"),
    (2, "10.1 > P CANCEL #9 call=1"),
    (3, "10.2 > P INVITE #9 call=2"),                 # as if it had not heard the challenge
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
    (8, "0.05 > P SUBSCRIBE #9"),                     # from before it came to its server
    (8, "3601 > P BYE #9 dialog call=1"),             # its registration has run out
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
    ["4 > P OPTIONS #8", "5 > P INVITE #9 call=1"],                           # something waits
    ["4 > P OPTIONS #8", "4.1 < P 503 OPTIONS #8", "5 > P INVITE #9 call=1"],
    ["4 > S OPTIONS #8", "5 > P INVITE #9 call=1"],                           # it turned away
    ["4 ! P icmp", "5 > P INVITE #9 call=1"],
    ["4 > P OPTIONS #8", "4.1 < P 401 OPTIONS #8", "5 > P INVITE #9 call=1"],
    ["4 * call P #7 ringing", "4 * call P #8 ringing", "5 > P INVITE #9 call=1"],
    ["0 > P INVITE #9 call=1"],
    ["5 > S INVITE #7 call=1 id=a", "6 * boot seen", "7 > P REGISTER #8", "7.1 < P 200 REGISTER #8 expires=3600",
     "8 > P INVITE #9 call=2"],                                               # nobody knows what came of its try
    ["3700 > P INVITE #7 call=1", "3700.1 < P 200 INVITE #7", "5 > P INVITE #9 call=2"],   # a gap from the future
])
def test_nothing_begins_where_anything_is_open(lines: list[str]) -> None:
    following, event = begun(*lines)
    following.follow(event)
    assert following.going_on is None


# -- who is told


def test_an_undisturbed_fleet_is_taken_so_for_all_its_calls(packets: Packets, tmp_path: Path) -> None:
    """But for what ends it, and begins it anew: a registration."""
    asked: Counter[str] = Counter()
    hears: Counter[int] = Counter()

    def asks(going: calls.GoesOn, request: Sent) -> bool:
        was = ask(going, request)
        asked[request.method] += was
        return was

    def heard(road: Heard, item: Any, response: Any, form: Any = None) -> bool:
        was = hear(road, item, response, form)
        hears[response.status] += was
        return was

    ask, hear = calls.GoesOn.asks, Heard.answers
    with patch.object(calls.GoesOn, "asks", asks), patch.object(Heard, "answers", heard):
        all_of(tmp_path, packets)
    methods = Counter(frame[42:45] for _, frame in packets)
    assert +asked == {"INVITE": methods[b"INV"], "BYE": methods[b"BYE"], "SUBSCRIBE": methods[b"SUB"]}
    ringing = methods[b"INV"] // 2
    assert +hears == {100: ringing, 180: ringing, 407: ringing, 200: 2 * ringing + methods[b"SUB"]}


def test_listeners_are_told_of_each_event(packets: Packets, tmp_path: Path) -> None:
    """Nothing is told at once where somebody else wants it: all come, in the order of their times."""
    path = tmp_path / "capture.pcap"
    written(path, packets)
    told: list[ModelEvent] = []
    run = Run(Job((str(path),), site=str(SITE), jobs=1), print, listener=told.append)
    run.drive()
    kinds = Counter(type(event) for event in told)
    assert kinds[Sent] == sum(frame[42:49] != b"SIP/2.0" and frame[42:45] != b"ACK" and frame[42:48] != b"NOTIFY"
                              for _, frame in packets)
    assert kinds[CallChanged] == 3 * sum(frame[42:45] == b"BYE" for _, frame in packets)
    assert told == sorted(told, key=lambda event: event.time)


@settings(max_examples=40)
@given(seed=st.integers(0, 1 << 32), share=st.sampled_from([0.0, 0.02, 0.1]))
def test_what_is_told_at_once_is_told_in_its_order(
    packets: Packets, tmp_path_factory: pytest.TempPathFactory, seed: int, share: float
) -> None:
    in_their_order(tmp_path_factory.mktemp("order"), sorted(disturbed(packets, share, random.Random(seed), ODD)))


@pytest.mark.parametrize("comes", ["INVITE", "200"])
def test_what_a_packet_shows_of_others_comes_before_it(comes: str, tmp_path: Path) -> None:
    """Whose INVITE nobody answers has no call any more when a packet of somebody else's shows that time has passed."""
    story = Story()
    unheard, calm, idle = handsets(story, (11, 12, 13))
    for time, phone in enumerate((unheard, calm, idle)):
        phone.register(time)
    subscribe = calm.ask(10, P, "SUBSCRIBE", expires=3600)
    calm.told(10.1, subscribe, 200)
    unheard.silence(20)   # until 23.5: it is forgotten 32 s later
    for time in range(24, 50, 3):
        idle.register(time)
    calls_at = 57.0 if comes == "INVITE" else 52.0
    invite = calm.ask(calls_at, P, "INVITE")
    calm.told(calls_at + 0.1, invite, 180)
    calm.told(calls_at + 5.0, invite, 200)
    in_their_order(tmp_path, [(ORIGIN + packet.time, packet.frame) for packet in story.packets])


def in_their_order(folder: Path, packets: Packets) -> None:
    in_short = _in_order(folder, packets)
    assert in_short
    with patch.object(calls, "begins_to_call", _never):
        assert _in_order(folder, packets) == in_short


def _in_order(folder: Path, packets: Packets) -> list[ModelEvent]:
    """All events that the auditor is told of, at once or not."""
    told: list[ModelEvent] = []

    def at_once(kind: str) -> Any:
        tell = getattr(calls.GoesOn, kind)

        def telling(going: calls.GoesOn, event: ModelEvent) -> bool:
            taken: bool = tell(going, event)
            if taken:
                told.append(event)
            return taken
        return telling

    def take(auditor: Auditor, event: ModelEvent) -> None:
        before = len(told)
        way(auditor, event)
        if len(told) == before:
            told.append(event)

    way = Auditor.take
    with ExitStack() as patched:
        for kind in ("asks", "hears", "changes"):
            patched.enter_context(patch.object(calls.GoesOn, kind, at_once(kind)))
        patched.enter_context(patch.object(Auditor, "take", take))
        counted(folder, packets)
    return told


@pytest.mark.parametrize("after", range(60, 200, 7))
def test_another_primary_ends_it(packets: Packets, tmp_path: Path, after: int) -> None:
    """DNS may put another server first at any moment, of which no event of the line tells: its next request is judged
    by that, and what comes of a server outside of its entry is another replay's."""
    _both_ways_when_changed(tmp_path, packets, after, outside=after % 2 == 0)


@pytest.mark.parametrize("which", range(0, 24, 3))
def test_it_ends_with_an_answer_to_a_server_that_is_none_of_its_own_any_more(
    packets: Packets, tmp_path: Path, which: int
) -> None:
    """The NOTIFY had come before; and nothing comes after it, which would show the same."""
    answers = [at for at, (_, frame) in enumerate(packets, 1) if frame[42:49] == b"SIP/2.0" and b" NOTIFY" in frame]
    _both_ways_when_changed(tmp_path, packets[:answers[which]], answers[which], outside=True)


def _both_ways_when_changed(folder: Path, packets: Packets, at: int, *, outside: bool) -> None:
    found = _when_changed(folder, packets, at, outside=outside)
    with patch.object(calls, "begins_to_call", _never):
        assert _when_changed(folder, packets, at, outside=outside) == found


def _when_changed(folder: Path, packets: Packets, at: int, *, outside: bool) -> tuple[Any, ...]:
    """What is found and known where the entry changes before this message, the first is 1."""
    seen = 0
    feed = Reconstruction.feed

    def fed(reconstruction: Reconstruction, *arguments: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == at:
            _change(next(iter(reconstruction.lines.values())).view, outside=outside)
        return feed(reconstruction, *arguments)

    with patch.object(Reconstruction, "feed", fed):
        return all_of(folder, packets)


def _change(view: View, *, outside: bool) -> None:
    """Another server becomes the primary, and the old one is (`outside`) none of the entry any more."""
    before = view.entries[0]
    servers = tuple(replace(one, priority=9 - one.priority) for one in before.servers)
    view.states[0].entry = ServerEntry(before.name, servers[1:] if outside else servers)
    view.renew()
    view.keys.clear()
    view.revision += 1
