"""Events of a line with which nothing is wrong are taken by a short road (`model.calling`): whatever disturbs the
packets, findings and states must be the same as when the line is followed event by event."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bench.captures import SITE, Workload
from sipaudit.model.events import CallChanged, ModelEvent, Sent
from sipaudit.model.settings import ServerEntry
from sipaudit.pipeline import Job
from sipaudit.reconstruct.heard import Heard
from sipaudit.reconstruct.reconstruction import Reconstruction
from sipaudit.reconstruct.views import View
from sipaudit.run import calls
from sipaudit.run.auditor import Auditor
from sipaudit.run.run import Run
from tests.frames import write_pcap
from tests.lives import LIVES, declared, lived, told
from tests.model.fleet.story import plain
from tests.roads import ODD_DIALOGS, Packets, captured, counted, disturbed, judged_alike, never, remembered_by
from tests.stories import Court, Handset, P, S, Story, handsets, site
from tests.wire import ORIGIN

CALLING = Workload("calling", phones=6, rounds=2, calls=12, talk=9.0, watch=True, spread=20.0)

@pytest.fixture(scope="module")
def packets(tmp_path_factory: pytest.TempPathFactory) -> Packets:
    return captured(tmp_path_factory.mktemp("calling"), CALLING)


def both_ways(folder: Path, packets: Packets) -> None:
    in_short = all_of(folder, packets)
    with patch.object(calls, "begins_to_call", never):
        assert all_of(folder, packets) == in_short


def all_of(folder: Path, packets: Packets) -> tuple[Any, ...]:
    """All findings and states, and what is counted and remembered of requests and calls."""
    runs: list[Run] = []
    init = Run.__init__

    def made(run: Run, *arguments: Any, **named: Any) -> None:
        runs.append(run)
        init(run, *arguments, **named)

    with patch.object(Run, "__init__", made):
        found = counted(folder, packets)
    return *found, *remembered_by(runs[0].auditor.watch)


@settings(max_examples=100)
@given(seed=st.integers(0, 1 << 32), share=st.sampled_from([0.003, 0.01, 0.05, 0.3]),
       lasts=st.sampled_from([30.0, 1e9, 1e9]))
def test_both_ways_come_to_the_same(
    packets: Packets, tmp_path_factory: pytest.TempPathFactory, seed: int, share: float, lasts: float
) -> None:
    """With disturbed packets, and where the capture ends while calls are made."""
    odd = [packet for packet in sorted(disturbed(packets, share, random.Random(seed), ODD_DIALOGS))
           if packet[0] < packets[0][0] + lasts]
    both_ways(tmp_path_factory.mktemp("calling"), odd or packets[:1])


@pytest.mark.parametrize("run", range(len(LIVES)))
@pytest.mark.parametrize("share", [0.0, 0.02])
def test_so_are_lives_in_all_regimes(tmp_path: Path, run: int, share: float) -> None:
    story, site = lived(*LIVES[run])
    judged_alike(tmp_path, story.thinned(share, run) if share else story, site, calls, "begins_to_call")


@pytest.mark.parametrize("seed", range(16))
def test_so_are_lives_with_many_calls(tmp_path: Path, seed: int) -> None:
    history = plain(seed)
    judged_alike(tmp_path, told(history), declared(history.habits), calls, "begins_to_call")


@pytest.mark.parametrize("long", [False, True])
def test_what_another_line_waits_for_is_judged_by_what_was_known_until_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, long: bool
) -> None:
    """The phone's second unanswered call should have gone to the next server. Its other line, which has only that
    server, calls there after the time for it is over, and that is no excuse. (Packets of another phone show that time
    has passed.)"""
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
        monkeypatch.setattr(calls, "begins_to_call", never)
    assert Court(tmp_path, ["failover-missing"])(story, two) == ["400.000 failover-missing 1001 10.0.0.1 certain"]


# -- which events take the short road


def test_an_undisturbed_fleet_is_taken_so_for_all_its_calls(packets: Packets, tmp_path: Path) -> None:
    """All of them but registrations, which end the short road and begin it anew."""
    asked: Counter[str] = Counter()
    hears: Counter[int] = Counter()

    def asks(follower: calls.CallFollower, request: Sent) -> bool:
        was = ask(follower, request)
        asked[request.method] += was
        return was

    def heard(road: Heard, item: Any, response: Any, form: Any = None) -> bool:
        was = hear(road, item, response, form)
        hears[response.status] += was
        return was

    ask, hear = calls.CallFollower.asks, Heard.answers
    with patch.object(calls.CallFollower, "asks", asks), patch.object(Heard, "answers", heard):
        all_of(tmp_path, packets)
    methods = Counter(frame[42:45] for _, frame in packets)
    assert +asked == {"INVITE": methods[b"INV"], "BYE": methods[b"BYE"], "SUBSCRIBE": methods[b"SUB"]}
    ringing = methods[b"INV"] // 2
    assert +hears == {100: ringing, 180: ringing, 407: ringing, 200: 2 * ringing + methods[b"SUB"]}


def test_listeners_are_told_of_each_event(packets: Packets, tmp_path: Path) -> None:
    """Events that another listener wants do not take the short road: all arrive, in the order of their times."""
    path = write_pcap(tmp_path / "capture.pcap", packets)
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
    odd = disturbed(packets, share, random.Random(seed), ODD_DIALOGS)
    in_their_order(tmp_path_factory.mktemp("order"), sorted(odd))


@pytest.mark.parametrize("comes", ["INVITE", "200"])
def test_what_a_packet_shows_of_others_comes_before_it(comes: str, tmp_path: Path) -> None:
    """A phone's INVITE stays unanswered; once another phone's packet shows that enough time has passed, the end of that
    call must be reported before the packet's own event."""
    story = Story()
    unheard, calm, idle = handsets(story, (11, 12, 13))
    for time, phone in enumerate((unheard, calm, idle)):
        phone.register(time)
    subscribe = calm.ask(10, P, "SUBSCRIBE", expires=3600)
    calm.told(10.1, subscribe, 200)
    unheard.silence(20)   # until 23.5; it is forgotten 32 s later
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
    with patch.object(calls, "begins_to_call", never):
        assert _in_order(folder, packets) == in_short


def _in_order(folder: Path, packets: Packets) -> list[ModelEvent]:
    """All events that the auditor receives, by the short road or the long one, in order."""
    told: list[ModelEvent] = []

    def at_once(kind: str) -> Any:
        tell = getattr(calls.CallFollower, kind)

        def telling(follower: calls.CallFollower, event: ModelEvent) -> bool:
            taken: bool = tell(follower, event)
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
            patched.enter_context(patch.object(calls.CallFollower, kind, at_once(kind)))
        patched.enter_context(patch.object(Auditor, "take", take))
        counted(folder, packets)
    return told


@pytest.mark.parametrize("after", range(60, 200, 7))
def test_another_primary_ends_it(packets: Packets, tmp_path: Path, after: int) -> None:
    """DNS may put another server first at any moment, and no event of the line reports it: the next request is judged
    by the new order, and events at a server outside the entry belong to another replay."""
    _both_ways_when_changed(tmp_path, packets, after, outside=after % 2 == 0)


@pytest.mark.parametrize("which", range(0, 24, 3))
def test_it_ends_with_an_answer_to_a_server_that_is_none_of_its_own_any_more(
    packets: Packets, tmp_path: Path, which: int
) -> None:
    """The server leaves the entry between the NOTIFY and its 200. Nothing follows that answer, since any later event
    would show the change as well."""
    answers = [at for at, (_, frame) in enumerate(packets, 1) if frame[42:49] == b"SIP/2.0" and b" NOTIFY" in frame]
    _both_ways_when_changed(tmp_path, packets[:answers[which]], answers[which], outside=True)


def _both_ways_when_changed(folder: Path, packets: Packets, at: int, *, outside: bool) -> None:
    found = _when_changed(folder, packets, at, outside=outside)
    with patch.object(calls, "begins_to_call", never):
        assert _when_changed(folder, packets, at, outside=outside) == found


def _when_changed(folder: Path, packets: Packets, at: int, *, outside: bool) -> tuple[Any, ...]:
    """The findings and states when the entry changes just before message number `at`, counted from 1."""
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
    """Make another server the primary; with `outside`, the old one is no longer in the entry."""
    before = view.entries[0]
    servers = tuple(replace(one, priority=9 - one.priority) for one in before.servers)
    view.states[0].entry = ServerEntry(before.name, servers[1:] if outside else servers)
    view.renew()
    view.keys.clear()
    view.revision += 1
