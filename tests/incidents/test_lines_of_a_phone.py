"""Phones with several lines: how long each line took counts from its own requests."""

from __future__ import annotations

import pytest

from tests.incidents.ground import Tower, end
from tests.stories import CALLEE, GIVES_UP, Handset, S, Story


def of_two_lines(story: Story, count: int) -> list[tuple[Handset, Handset]]:
    """`count` phones with one line for each of two users; both lines share the phone's address."""
    phones = [tuple(Handset(story, str(user), (f"10.1.0.{number}", 5060)) for user in (1000 + number, 2000 + number))
              for number in range(1, count + 1)]
    for number, lines in enumerate(phones):
        for late, line in enumerate(lines):
            line.register(number + late / 2)
    return phones   # type: ignore[return-value]


@pytest.mark.parametrize("asks", [True, False], ids=["asks P itself", "knows by the other line"])
def test_a_line_that_asks_later_did_not_take_longer(tower: Tower, asks: bool) -> None:
    """The first lines call at 300, the second 60 s later: nobody waited for a minute."""
    story = Story()
    for number, (first, second) in enumerate(of_two_lines(story, 4)):
        first.fail_over(300 + number)
        if asks:
            second.fail_over(360 + number)
        else:
            second.register(360 + number, S)
            second.ask(360.1 + number, S, "INVITE", to=CALLEE)
    end(story, 600)
    tower.see(story)
    metrics = tower.of("server-outage").metrics
    assert metrics["lines_moved"] == 8
    assert metrics["time_to_detect_max"] == GIVES_UP
    assert metrics["time_to_recover_max"] == pytest.approx(GIVES_UP + 0.011)
