"""A storm: twenty REGISTERs in five seconds, and five times the usual number."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipaudit.incidents import crowds
from sipaudit.incidents.crowds import Crowd
from sipaudit.report.incident_words import words_of
from tests.incidents.ground import Tower, end, fleet, registered
from tests.stories import R2, Handset, P, Story
from tests.wire import ORIGIN


def rush(story: Story, count: int, at: float, apart: float, usual: float) -> None:
    """`count` phones register, one every `apart` seconds, where one had registered every `usual` seconds."""
    one = Handset(story, "2000", ("10.2.0.1", 5060), challenges=False)
    for step in range(int(600 / usual)):
        one.register(step * usual)
    for index in range(count):
        phone = Handset(story, f"{3000 + index}", (f"10.3.0.{index + 1}", 5060), challenges=False)
        phone.register(at + apart * index)
    for step in range(int(600 / usual), int(900 / usual)):
        one.register(step * usual)


@pytest.mark.parametrize(("count", "apart", "seen"), [
    (19, 0.1, 0),   # less than 20
    (20, 0.1, 1),
    (20, 0.5, 0),   # not within 5 s
])
def test_a_storm_is_twenty_registers_in_five_seconds(tower: Tower, count: int, apart: float, seen: int) -> None:
    story = Story()
    rush(story, count, 600, apart, usual=61.0)
    assert len(tower.see(story, only="register-storm")) == seen


def test_which_site_it_came_from_is_said(tower: Tower) -> None:
    """The power of that site is back."""
    story = Story()
    rush(story, 30, 600, 0.1, usual=61.0)
    sites = [{"match": {"user": users}, "entry": "sbc", "group": group, "settings": R2}
             for users, group in (("30*", "Branch"), ("*", "Head office"))]
    tower.see(story, lines=sites)
    said = " ".join(words_of(tower.report, UTC).of(tower.of("register-storm")))
    assert said.endswith(" Affected: 30 of 30 phones of Branch.")


@pytest.mark.parametrize(("count", "seen"), [(19, 0), (20, 1)])
def test_and_five_times_the_usual(tower: Tower, count: int, seen: int) -> None:
    """The usual one REGISTER a second makes five in 5 s, which count as well: the storm needs 25 in all."""
    story = Story()
    rush(story, count, 600.001, 0.1, usual=1.0)
    assert len(tower.see(story, only="register-storm")) == seen


def test_a_storm_ends_below_twice_the_usual_and_tells_its_rates(tower: Tower) -> None:
    story = Story()
    rush(story, 40, 600, 0.1, usual=5.0)
    assert tower.see(story, only="register-storm") == ["register-storm 10.0.0.1 600.000-608.000 41"]
    metrics = tower.of("register-storm").metrics
    assert (metrics["register_rate_median"], metrics["register_rate_peak"]) == (0.2, 8.2)


def test_a_storm_lasts_while_there_are_twice_as_many_as_usual(tower: Tower) -> None:
    """The usual rate is one in 5 s; three in 5 s continue for half a minute, then one in 5 s."""
    story = Story()
    rush(story, 40, 600, 0.1, usual=5.0)
    for index in range(18):
        Handset(story, f"{4000 + index}", (f"10.4.0.{index + 1}", 5060), challenges=False).register(604.2 + index * 1.7)
    assert tower.see(story, only="register-storm") == ["register-storm 10.0.0.1 600.000-638.000 59"]


def test_two_rushes_with_silence_between_are_two_storms(tower: Tower) -> None:
    story = Story()
    rush(story, 20, 615, 0.01, usual=61.0)
    for index in range(20):
        Handset(story, f"{4000 + index}", (f"10.4.0.{index + 1}", 5060), challenges=False).register(640 + index / 100)
    assert tower.see(story, only="register-storm") == [
        "register-storm 10.0.0.1 615.000-620.000 20", "register-storm 10.0.0.1 640.000-645.000 20"]


def test_a_storm_knows_its_lines_although_they_have_registered_since(tower: Tower) -> None:
    story = Story()
    rush(story, 40, 600, 0.1, usual=5.0)
    for index in range(40):
        Handset(story, f"{3000 + index}", (f"10.3.0.{index + 1}", 5060), challenges=False).register(800 + 2.5 * index)
    assert tower.see(story, only="register-storm") == ["register-storm 10.0.0.1 600.000-608.000 41"]


def test_who_came_as_a_storm_began_or_ended_is_of_it_too(tower: Tower) -> None:
    """Three a second, then eight, then three; the same lines renew a minute later, when none of them is new."""
    story = Story()
    phones = fleet(story, 60, granted=60, challenges=False)
    times = [600 + index / 3 if index < 18 else 606 + (index - 18) / 8 if index < 42 else 609 + (index - 42) / 3
             for index in range(60)]
    for again in (0, 60, 120, 180):
        for index, phone in enumerate(phones):
            phone.register(times[index] + again + (again and index * 0.5))
    storms = tower.see(story, only="register-storm")
    assert storms[0] == "register-storm 10.0.0.1 604.000-616.000 48"   # 42 in its densest part


def kept(crowd: Crowd) -> set[int]:
    return {second for second, _ in crowd.items()}


@given(st.lists(st.integers(0, 9), min_size=130, max_size=130))
def test_seconds_are_kept_that_lie_about_five_with_twenty_registers(counts: list[int]) -> None:
    crowd = Crowd()
    for second, count in enumerate(counts):
        if second % 60 == 0:
            crowd.thin(second)
        for line in range(count):
            crowd.note(second, line)
    crowd.thin(200)
    spans = [range(first, first + 5) for first in range(len(counts)) if sum(counts[first:first + 5]) >= 20]
    dense = {second for span in spans for second in span if any(counts[second:second + 1])}
    assert kept(crowd) == {second for second, count in enumerate(counts)
                           if count and any(abs(second - one) <= crowds.ABOUT for one in dense)}


def test_lines_are_noted_where_there_are_many_and_no_more_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = Crowd()
    for second in range(0, 100, 3):
        crowd.note(second, second)          # seven lines in 20 s
    for line in range(20):
        crowd.note(58 + line // 10, line)   # twenty in two seconds, as a minute ends
    crowd.thin(60)
    crowd.thin(120)
    assert kept(crowd) == {58, 59, *range(27, 100, 3)}   # five seconds with twenty, and the seconds around them
    assert crowd.lines(58, 59) == set(range(20))
    other = Crowd()
    for line in range(30):
        other.note(10, line)
    monkeypatch.setattr(crowds, "LINES_KEPT", 50)
    crowds.shed([crowd, other])
    assert (kept(crowd), kept(other)) == (set(), {10})   # the sparsest seconds went until there was room


def test_what_is_known_of_a_busy_server_is_forgotten_in_the_middle_and_at_the_beginning() -> None:
    crowd = Crowd()
    for second in range(240):
        crowd.thin(second)
        for line in range(20 + second % 3):
            crowd.note(second, line)
    crowd.note(5, 99)                       # which comes late
    assert crowd.count == 240 * 21 + 1
    assert crowd.drop({second for second in range(240) if second % 3 == 0}) == 80 * 20
    assert crowd.lines(3, 3) == set()
    assert crowd.lines(4, 5) == {*range(22), 99}
    crowd.forget(230)
    assert (kept(crowd), crowd.count) == ({230, 232, 233, 235, 236, 238, 239}, 4 * 22 + 3 * 21)


def test_room_is_made_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise all that is stored for a busy server would be sorted every minute."""
    crowd = Crowd()
    for second in range(100):
        for line in range(20):
            crowd.note(second, line)
    monkeypatch.setattr(crowds, "LINES_KEPT", 1000)
    crowds.shed([crowd])
    assert (crowd.count, min(kept(crowd))) == (740, 63)
    crowds.shed([crowd])
    assert crowd.count == 740


@pytest.mark.parametrize(("again", "said"), [(0, True), (10, True), (40, False)])
def test_of_phones_that_log_out_together_that_is_said(tower: Tower, again: int, said: bool) -> None:
    """Unless they register again at once, as after a restart."""
    story = Story()
    phones = registered(story, 40)
    for number, phone in enumerate(phones):
        phone.register(600 + number * 0.1, expires=0)
    for number, phone in enumerate(phones[:again]):
        phone.register(605 + number * 0.1)
    end(story, 900)
    tower.see(story, None, P)
    (storm,) = (one for one in tower.report.incidents if one.start > ORIGIN + 300)
    sentences = words_of(tower.report, UTC).of(storm)
    assert (f"{40 - again} of them logged out." in sentences) is said
    assert any("logged out" in sentence for sentence in sentences) is said
