"""Outages during which the captures were interrupted: nothing is claimed about the time that was not seen."""

from __future__ import annotations

from datetime import UTC

import pytest

from sipaudit.report.incident_words import words_of
from tests.incidents.ground import Tower, end, registered
from tests.stories import P, Story


@pytest.mark.parametrize("ended", [False, True])
def test_that_the_captures_were_away_during_an_outage_is_said_of_it(tower: Tower, ended: bool) -> None:
    """Or their clock was set ahead, which looks the same: then the outage is that long only by the clock."""
    story = Story()
    phones = registered(story, 12, apart=1.0, granted=240, asks=240)
    for time in (180, 360, *((430,) if ended else ()), 830, 1010, 1190):
        for number, phone in enumerate(phones):
            phone.register(time + number)
    for number, phone in enumerate(phones[:6]):
        phone.silence(400 + number)
    end(story, 1400)
    tower.see(story, None, P)
    said = " ".join(words_of(tower.report, UTC).of(tower.of("server-outage")))
    assert (" s of that, in which it may have answered." in said) is not ended
