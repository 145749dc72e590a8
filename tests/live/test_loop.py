"""The loop of a live run ends when told to, whatever goes on around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from sipaudit.live import loop
from sipaudit.live.loop import Loop, Signals, both_clocks
from sipaudit.sip.datagram import Item
from tests.live.ear import Ear, vitals
from tests.stories import R2, Handset, P, S, Story, site

READS = 300   # the loop must end before as many; they are a hundredth of a second apart


def test_it_ends_though_more_comes_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy port, or a directory with hours of captures, is not read on: with a checkpoint the next run continues."""
    monkeypatch.setattr(loop, "AT_LAST", 0.2)
    ear, story, reads = Ear(tmp_path, site(R2, P, S)), Story(), count()
    Handset(story).register(0)
    more = ear.wire.read

    def always() -> Sequence[Item]:
        number = next(reads)
        assert number < READS, "it reads on and on"
        ear.wire.come([replace(packet, time=packet.time + number) for packet in story.packets])
        return more()

    monkeypatch.setattr(ear.wire, "read", always)
    signals = Signals()
    signals.ended = True
    Loop(ear.probe, ear.teller, vitals(ear), [], signals).run()
    assert next(reads) > 1


def test_both_clocks_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stopped between the two reads (SIGSTOP for a minute) reads again: no clock was set."""
    stood_still, shown = iter([0.0, 60.0]), iter([10.0, 70.0, 70.0, 70.01])
    monkeypatch.setattr("time.time", lambda: 1_000.0 + next(stood_still))
    monkeypatch.setattr("time.monotonic", lambda: next(shown))
    assert both_clocks() == (1_060.0, 70.0)
