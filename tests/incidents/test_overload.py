"""A server that refuses many: five 503 in ten seconds."""

from __future__ import annotations

import pytest

from tests.incidents.ground import Tower, end, registered
from tests.stories import Handset, P, Story


def refuses(story: Story, phones: list[Handset], times: list[float]) -> None:
    for index, time in enumerate(times):
        phone = phones[index % len(phones)]
        phone.told(time + 0.01, phone.ask(time, P, "INVITE"), 503)


@pytest.mark.parametrize(("times", "seen"), [
    ([300.0, 301.0, 302.0, 303.0], []),                                                      # four
    ([300.0, 301.0, 302.0, 303.0, 309.9], ["overload 10.0.0.1 300.010-309.910 5"]),
    ([300.0, 301.0, 302.0, 303.0, 310.1], []),                                               # in more than 10 s
    ([300.0, 301.0, 302.0, 303.0, 304.0, 363.0], ["overload 10.0.0.1 300.010-363.010 5"]),   # less than 60 s apart
    ([300.0, 301.0, 302.0, 303.0, 304.0, 365.0], ["overload 10.0.0.1 300.010-304.010 5"]),
])
def test_overload_is_five_503_in_ten_seconds(tower: Tower, times: list[float], seen: list[str]) -> None:
    story = Story()
    refuses(story, registered(story, 5), times)
    end(story, 500)
    assert tower.see(story, only="overload") == seen


def test_an_overload_is_open_until_a_minute_has_passed_without_a_503(tower: Tower) -> None:
    story = Story()
    refuses(story, registered(story, 5), [300.0, 301.0, 302.0, 303.0, 304.0])
    end(story, 363)
    assert tower.see(story, only="overload") == ["overload 10.0.0.1 300.010- 5"]
    assert tower.of("overload").metrics["responses_503"] == 5
