"""What a probe says of itself."""

from __future__ import annotations

from pathlib import Path

from sipaudit.capture.bounds import CaptureBounds
from sipaudit.live.limits import Limits
from sipaudit.live.upkeep import Upkeep
from sipaudit.live.vitals import Vitals
from tests.live.ear import Ear
from tests.stories import R2, P, S, Story, site


def test_connections_that_found_no_room_are_among_what_was_evicted(tmp_path: Path) -> None:
    ear, story = Ear(tmp_path, site(R2, P, S)), Story()
    upkeep = Upkeep(ear.probe, Limits(None), [ear.wire.reader])
    ear.wire.reader.tighten(CaptureBounds(streams=1))
    for port in (50_001, 50_002):
        story.syn(port - 50_000, ("10.1.0.5", port), P)
    ear.hears(story)
    assert Vitals(ear.probe, upkeep).look(0.0, 0.0).health.evicted["streams"] == 1
