"""What a probe reports about itself."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from sipaudit.capture.bounds import CaptureBounds
from sipaudit.live.limits import Limits
from sipaudit.live.loop import Loop, Signals
from sipaudit.live.upkeep import Upkeep
from sipaudit.live.vitals import Vitals
from sipaudit.model.sayings import Saying
from tests.live.agents import no_descriptors_left
from tests.live.ear import Ear, vitals
from tests.stories import R2, Handset, P, S, Story, site


class Kept:
    """A sink that stores the sayings."""

    def __init__(self, said: list[Saying]) -> None:
        self.take = said.append

    def turn(self, now: float) -> None:
        pass

    def close(self) -> None:
        pass


def test_the_rate_after_a_restart_is_that_of_what_was_heard_since(tmp_path: Path) -> None:
    """The counters include what the previous run counted, none of which came in the last ten seconds."""
    ear, story = Ear(tmp_path, site(R2, P, S)), Story()
    phone = Handset(story)
    phone.register(0)
    ear.hears(story)
    heard = len(story.packets)
    other = ear.again(tmp_path, after=20)
    told = vitals(other)
    quiet = told.look(40, 40).health
    phone.register(45)
    other.hears(story, since=44)
    busy = told.look(50, 50).health
    assert (quiet.packets_per_s, quiet.sip_per_s) == (0, 0)
    assert busy.packets_per_s == busy.sip_per_s == (len(story.packets) - heard) / 10 > 0
    assert other.wire.health.packets == len(story.packets)


def test_the_time_of_saying_has_six_decimals(tmp_path: Path) -> None:
    """On a silent port it is the time of the clock, which has more decimals."""
    ear, story = Ear(tmp_path, site(R2, P, S)), Story()
    Handset(story).register(0.000_000_4)
    ear.hears(story)
    said: list[Saying] = []
    Loop(ear.probe, ear.teller, vitals(ear), [Kept(said)], Signals()).say_all()
    assert {"capture", "health", "line"} <= {saying.__struct_config__.tag for saying in said}
    assert [saying.time for saying in said if saying.time != round(saying.time, 6)] == []


def test_connections_that_found_no_room_are_among_what_was_evicted(tmp_path: Path) -> None:
    ear, story = Ear(tmp_path, site(R2, P, S)), Story()
    upkeep = Upkeep(ear.probe, Limits(None), [ear.wire.reader])
    ear.wire.reader.tighten(CaptureBounds(streams=1))
    for port in (50_001, 50_002):
        story.syn(port - 50_000, ("10.1.0.5", port), P)
    ear.hears(story)
    assert Vitals(ear.probe, upkeep).look(0.0, 0.0).health.evicted["streams"] == 1


def test_how_it_is_can_be_told_when_nothing_can_be_opened(tmp_path: Path) -> None:
    told = vitals(Ear(tmp_path, site(R2, P, S)))
    with no_descriptors_left():
        assert told.look(0.0, 0.0).health.memory_bytes > 1 << 20


def test_it_takes_the_descriptors_that_it_may_have() -> None:
    """Done in a separate process, since raising the limit cannot be undone."""
    asks = ("import resource; from sipaudit.live.descriptors import take_enough; "
            "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512)); take_enough(); "
            "print(*resource.getrlimit(resource.RLIMIT_NOFILE))")
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 512:
        pytest.skip("this process may not have so many")
    done = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["512", "512"]
