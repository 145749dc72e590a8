"""A phone's first registration is written down once, when it ends (`model.arrival`): findings and states must be the
same as when it is followed event by event."""

from __future__ import annotations

import random
import re
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipaudit.model.absorb import absorb_line
from sipaudit.model.absorb_phone import absorb_phone
from sipaudit.model.arrival import Arriving, begins_to_register
from sipaudit.model.events import Answered, ModelEvent, Sent
from sipaudit.model.renewal import Arrived
from sipaudit.model.routine import DONE, OFF, ON
from sipaudit.model.scenario import parse
from sipaudit.model.state import LineState, PhoneState
from sipaudit.run import registrations
from tests.lives import LIVES, lived
from tests.roads import CROWD, FLEET, Packets, captured, counted, disturbed, followed, judged_alike, never

CHALLENGED = """entry: P S
0    > P REGISTER #1 fresh anew
0.1  < P 401 REGISTER #1
0.2  > P REGISTER #2 follows=1
0.3  < P 200 REGISTER #2
"""
AT_ONCE = """entry: P S
0    > P REGISTER #1
0.1  < P 200 REGISTER #1
"""


@pytest.fixture(scope="module", params=[FLEET, CROWD], ids=["fleet", "crowd"])
def packets(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Packets:
    return captured(tmp_path_factory.mktemp("fleet"), request.param)


@settings(max_examples=60)
@given(seed=st.integers(0, 1 << 32), share=st.sampled_from([0.02, 0.1, 0.4]), lasts=st.sampled_from([20.0, 1e9]))
def test_both_ways_come_to_the_same(
    packets: Packets, tmp_path_factory: pytest.TempPathFactory, seed: int, share: float, lasts: float
) -> None:
    """With disturbed packets, and where the capture ends while phones register."""
    folder = tmp_path_factory.mktemp("arrival")
    told = [packet for packet in sorted(disturbed(packets, share, random.Random(seed)))
            if packet[0] < packets[0][0] + lasts] or packets[:1]
    at_once = counted(folder, told)
    with patch.object(registrations, "begins_to_register", never):
        assert counted(folder, told) == at_once


ELSEWHERE = """
entries:
  there:
    - {name: there.example.com, address: 10.0.0.77}
lines:
  - match: {user_agent: "*VVX*"}
    entry: there
  - match: {address: 10.1.0.0/16}
"""


def test_its_server_may_turn_out_to_be_of_no_entry_of_the_line(packets: Packets, tmp_path: Path) -> None:
    """The first REGISTER does not tell the phone's make, the second does; by that the site file gives the line an entry
    that lacks its server."""
    site = tmp_path / "site.yaml"
    site.write_text(ELSEWHERE)
    first = re.compile(rb"(CSeq: 1 .*\nUser-)Agent", re.DOTALL)
    told = [(time, first.sub(rb"\1Tnega", frame)) for time, frame in packets]
    at_once = counted(tmp_path, told, site)
    with patch.object(registrations, "begins_to_register", never):
        assert counted(tmp_path, told, site) == at_once
    states, = at_once[1][:1]
    assert {len(state.bindings) for state in states} == {1}
    assert len(states) == 2 * len(at_once[1][5])   # each line also has a replay for the server outside its entry


@pytest.mark.parametrize("run", range(0, len(LIVES), 3))
def test_so_are_lives_in_all_regimes(tmp_path: Path, run: int) -> None:
    story, site = lived(*LIVES[run])
    judged_alike(tmp_path, story.thinned(0.02, run), site, registrations, "begins_to_register")


def test_each_phone_of_an_undisturbed_fleet_arrives_once(packets: Packets, tmp_path: Path) -> None:
    arrived = []

    def watched(arriving: Arriving, granted: Answered) -> Arrived:
        arrived.append(granted.phone)
        return done(arriving, granted)

    done = Arriving.done
    with patch.object(Arriving, "done", watched):
        followed(tmp_path, packets)
    phones = {frame[26:30] for _, frame in packets if b"\r\nContact:" in frame and b"REGISTER sip" in frame}
    assert len(arrived) == len(set(arrived)) == len(phones)


@pytest.mark.parametrize("scenario", [CHALLENGED, AT_ONCE])
def test_its_states_are_those_that_its_events_leave(scenario: str) -> None:
    events = parse(scenario).events
    arriving, line, phone = _begun(events[0])
    for event in events[1:]:
        assert arriving.so_far() == (line, phone)
        way = arriving.take(event)
        line, phone = absorb_line(line, phone, event), absorb_phone(phone, event)
        assert way is (DONE if event is events[-1] else ON)
    assert isinstance(events[-1], Answered)
    arrived = arriving.done(events[-1])
    assert (arrived.line(), arrived.phone()) == (line, phone)


def _begun(first: ModelEvent) -> tuple[Arriving, LineState, PhoneState]:
    assert isinstance(first, Sent)
    assert begins_to_register(first)
    line, phone = LineState(), PhoneState()
    return Arriving(first), absorb_line(line, phone, first), absorb_phone(phone, first)


@pytest.mark.parametrize(("before", "odd"), [
    (1, "9 < P 401 REGISTER #1"),                 # late: the phone may have given up on it
    (1, "0.1 < P 100 REGISTER #1"),
    (1, "0.1 < P 403 REGISTER #1"),
    (1, "0.1 < P 200 REGISTER #1 expires=0"),
    (1, "0.1 < P 200 REGISTER #1 own=no"),
    (1, "0.1 > P REGISTER #2"),                   # without a challenge
    (2, "0.2 > P REGISTER #2"),                   # as if it had not received the challenge
    (2, "0.2 > S REGISTER #2 follows=1"),
    (2, "0.2 > P REGISTER #2 follows=1 expires=0"),
    (2, "0.2 < P 200 REGISTER #1"),
    (3, "0.3 < P 401 REGISTER #2"),
    (3, "0.3 > P OPTIONS #3"),
])
def test_whatever_is_not_just_that_ends_it(before: int, odd: str) -> None:
    lines = CHALLENGED.splitlines()
    events = parse("\n".join([*lines[:before + 1], odd, ""])).events
    arriving, *_ = _begun(events[0])
    for event in events[1:before]:
        assert arriving.take(event) is ON
    assert arriving.take(events[before]) is OFF
