"""A server that goes up and down: many outages by section 7, but one pattern to the reader."""

from __future__ import annotations

from datetime import UTC

import pytest
from msgspec.structs import replace

from sipaudit.model.values import Incident
from sipaudit.report.often import each
from sipaudit.report.series import told_in_full
from sipaudit.report.verdict import sentences
from tests.incidents.ground import Tower, end, gives_up, registered
from tests.stories import CREDENTIALS, P, S, Story


def goes_down(story: Story, times: int, every: float = 60.0, down: float = 20.0) -> None:
    """Three phones ask in vain, one after the other; all are answered once the server is up."""
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
    said = sentences(tower.report, UTC)
    assert said[0] == ("10.0.0.1 did not answer five times from 12:05:00 to 12:09:20, for 20 s each. Affected in all: "
                       "3 phones, with 15 moves to other servers.")
    assert said[1].startswith("3 phones kept moving between servers from ")   # and not another outage


@pytest.mark.parametrize(("times", "every"), [(2, 60.0), (4, 700.0)])
def test_two_are_told_one_by_one_and_so_are_those_far_apart(tower: Tower, times: int, every: float) -> None:
    story = Story()
    goes_down(story, times, every)
    tower.see(story)
    said = sentences(tower.report, UTC)
    assert said[0].startswith("10.0.0.1 did not answer from 12:05:00 to 12:05:20. 3 of 5 phones moved in 5.5 s")
    assert said[1].startswith("10.0.0.1 did not answer from 12:")


def test_of_one_that_was_down_as_the_capture_ended_the_last_time_is_open(tower: Tower) -> None:
    story = Story()
    goes_down(story, 3)
    tower.see(story.without(lambda packet: packet.time > 435 and P in (packet.source, packet.destination)))
    assert sentences(tower.report, UTC)[0].startswith(
        "10.0.0.1 did not answer three times from 12:05:00 on, for 20 s each but the last. ")


def test_what_follows_one_of_which_no_end_is_known_is_told_by_itself(tower: Tower) -> None:
    """As in a store, where a run ended during the outage."""
    story = Story()
    goes_down(story, 4)
    tower.see(story, only="server-outage")
    first, *rest = (one for one in tower.report.incidents if one.kind == "server-outage")
    (alone, again), left = told_in_full([replace(first, end=None), *rest], 2)
    assert (len(alone[1]), len(again[1]), left) == (1, 3, [])


def test_of_different_lines_each_time_their_number_is_that_of_all(tower: Tower) -> None:
    """Each time two other phones are refused, and have no registration for two minutes."""
    story = Story()
    phones = registered(story, 6, granted=300, asks=300)
    for number, phone in enumerate(phones):
        begins = 300 + 200 * (number // 2)
        for time in (*range(100, begins - 200, 100), *range(begins + 130, 1200, 100)):
            phone.register(time)
        for time in range(begins - 60, begins + 120, 30):
            phone.told(time + 0.01, phone.ask(time, P, "REGISTER", expires=300, headers=CREDENTIALS), 403)
    end(story, 1300)
    assert len(tower.see(story, None, P, only="registration-gap")) == 3
    assert sentences(tower.report, UTC)[0].startswith(
        "6 phones in all had no registration anywhere three times from 12:05:00 to 12:13:50, for ")
    assert " s each. 10.0.0.1 refused their REGISTERs with 403." in sentences(tower.report, UTC)[0]


def test_several_slow_times_are_told_with_the_median_of_the_middle_one(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 12)
    for turn, late in enumerate((9.0, 6.5, 7.5)):
        for number, phone in enumerate(phones[:10 - turn]):
            gives_up(story, phone, 300 + 100 * turn + 2 * number, late)
        for number, phone in enumerate(phones):
            phone.register(350 + 100 * turn + number)
    end(story, 700)
    assert len(tower.see(story, only="server-outage")) == 3
    assert sentences(tower.report, UTC)[0].startswith("10.0.0.1 answered too late (after 7.5 s, median) three times ")


def test_of_one_that_did_not_answer_and_then_was_slow_both_are_told(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 12)
    for turn, late in enumerate((None, None, None, 6.5)):
        for number, phone in enumerate(phones[:10]):
            gives_up(story, phone, 300 + 100 * turn + 2 * number, late)
        for number, phone in enumerate(phones):
            phone.register(350 + 100 * turn + number)
    end(story, 800)
    assert len(tower.see(story, only="server-outage")) == 4
    said = sentences(tower.report, UTC)
    assert said[0].startswith("10.0.0.1 did not answer three times ")
    assert said[1].startswith("10.0.0.1 answered too late (after 6.5 s, median) from 12:10:00 ")


@pytest.mark.parametrize(("lasted", "said"), [
    ((17, 30), ", for 17 to 30 s each"), ((20, 20), ", for 20 s each"), ((0, 30), ", for up to 30 s each"),
    ((0, 0), ""), ((20, None), ", for 20 s each but the last"), ((None,), ""),
])
def test_how_long_each_lasted(lasted: tuple[int | None, ...], said: str) -> None:
    incidents = [Incident(id="", kind="flapping", server=None, entry=None, state="", start=0.0, end=end, lines=[],
                          phones=0, groups=[], findings=[], metrics={}, evidence=[], timeline=[]) for end in lasted]
    assert each(incidents) == said
