"""Lines with several entries are without a registration if they have none at any of these."""

from __future__ import annotations

import pytest

from tests.incidents.ground import Tower, end, registered
from tests.stories import BRANCH, R2, P, Story


@pytest.mark.parametrize(("until", "seen"), [
    (500, []),                                       # P's registration is still valid
    (900, ["registration-gap sbc 600.011-900.011 1"]),
])
def test_who_asks_the_servers_of_its_other_entry_alone_has_no_registration_either(
    tower: Tower, until: int, seen: list[str]
) -> None:
    """P is dead, the branch server refuses every REGISTER with 500, and nothing is sent to P any more."""
    story = Story()
    (phone,) = registered(story, 1, granted=600, asks=600)
    phone.silence(300, method="REGISTER")
    for time in range(306, until, 30):
        phone.told(time + 0.1, phone.ask(time, BRANCH, "REGISTER", expires=600), 500)
    phone.register(until, BRANCH)
    end(story, until + 60)
    entries = {"sbc": {"servers": [{"address": P[0]}]}, "branch": {"servers": [{"address": BRANCH[0]}]}}
    lines = [{"match": {}, "entry": ["sbc", "branch"], "settings": R2}]
    told = tower.see(story, entries=entries, lines=lines, only="registration-gap")
    assert [line.replace("branch", "sbc") for line in told] == seen
