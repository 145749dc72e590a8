"""A server that goes up and down: many outages by section 7, one pattern to who reads of them."""

from __future__ import annotations

import pytest

from sipaudit.report.verdict import sentences
from tests.incidents.ground import Tower, end, registered
from tests.stories import P, S, Story


def goes_down(story: Story, times: int, every: float = 60.0, down: float = 20.0) -> None:
    """Three phones ask in vain, one after the other, and are answered when it is up."""
    phones = registered(story, 5)
    for turn in range(times):
        begins = 300 + turn * every
        for number, phone in enumerate(phones[:3]):
            phone.register(phone.silence(begins + number, method="REGISTER"), S)
        for number, phone in enumerate(phones):
            phone.register(begins + down + number)
    end(story, 320 + times * every)


def test_outages_that_come_again_and_again_are_told_as_one(tower: Tower) -> None:
    story = Story()
    goes_down(story, 5)
    assert len(tower.see(story, only="server-outage")) == 5
    said = sentences(tower.report, "utc")
    assert said[0] == ("10.0.0.1 did not answer five times from 12:05:00 to 12:09:20, for 20 s each. Concerned in all: "
                       "3 phones, with 15 moves to other servers.")
    assert said[1].startswith("3 phones kept moving between servers from ")   # and not another outage


@pytest.mark.parametrize(("times", "every"), [(2, 60.0), (4, 700.0)])
def test_two_are_told_one_by_one_and_so_are_those_far_apart(tower: Tower, times: int, every: float) -> None:
    story = Story()
    goes_down(story, times, every)
    tower.see(story)
    said = sentences(tower.report, "utc")
    assert said[0].startswith("10.0.0.1 did not answer from 12:05:00 to 12:05:20. 3 of 5 phones moved in 5.5 s")
    assert said[1].startswith("10.0.0.1 did not answer from 12:")


def test_of_one_that_was_down_as_the_capture_ended_the_last_time_is_open(tower: Tower) -> None:
    story = Story()
    goes_down(story, 3)
    tower.see(story.without(lambda packet: packet.time > 435 and P in (packet.source, packet.destination)))
    assert sentences(tower.report, "utc")[0].startswith(
        "10.0.0.1 did not answer three times from 12:05:00 on, for 20 s each")
