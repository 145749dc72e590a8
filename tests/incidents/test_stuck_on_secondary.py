"""A line that stays away from its first server after that server is back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.incidents.ground import Tower, end, registered
from tests.stories import R2, Handset, P, S, Settings, Story


def away(story: Story) -> Handset:
    """1001, which moves to S at 305.5; P answers the others from 320 on."""
    phones = registered(story, 4)
    for phone in phones[:2]:
        phone.fail_over(300)
    phones[1].register(380)
    for time in range(320, 800, 20):
        phones[2 + time // 20 % 2].register(time)
    return phones[0]


def stays_away(story: Story, call_at: float) -> None:
    """The line calls through S."""
    away(story).call(call_at, S, 2.0)
    end(story, 900)


@pytest.mark.parametrize(("call_at", "seen"), [(436.0, []), (444.0, ["stuck-on-secondary 10.0.0.1 440.004- 1"])])
def test_stuck_is_twice_the_delay_after_the_primary_came_back(tower: Tower, call_at: float, seen: list[str]) -> None:
    """P answers from 320 on; twice the 60 s later is 440."""
    story = Story()
    stays_away(story, call_at)
    assert tower.see(story, only="stuck-on-secondary") == seen


@pytest.mark.parametrize(("again_at", "stuck"), [(473.0, False), (477.0, True)])
def test_who_has_just_hung_up_is_not_stuck_yet(tower: Tower, again_at: float, stuck: bool) -> None:
    """A call from 430 to 470 rightly kept 1001 at S past 440; from its end there are five seconds left (B5)."""
    story = Story()
    phone = away(story)
    phone.call(430, S, 40.0)
    phone.register(again_at, S)
    phone.register(again_at + 2, P)
    end(story, 900)
    assert bool(tower.see(story, only="stuck-on-secondary")) is stuck


@pytest.mark.parametrize(("others", "stuck"), [(0, False), (1, True)])
def test_a_phone_alone_does_not_show_that_the_primary_serves_others(tower: Tower, others: int, stuck: bool) -> None:
    """The primary answers this phone's OPTIONS, but no other phone uses it."""
    story = Story()
    away, *rest = registered(story, 1 + others)
    away.fail_over(300)
    for time in range(320, 800, 20):
        away.told(time + 0.01, away.ask(time, P, "OPTIONS"), 200)
    for phone in rest:
        phone.register(700)
    away.call(750.0, S, 2.0)
    end(story, 900)
    assert bool(tower.see(story, only="stuck-on-secondary")) is stuck


def test_it_ends_with_the_return(tower: Tower) -> None:
    story = Story()
    stays_away(story, 500.0)
    back = Handset(story, numbers={"reg-1001@10.1.4.1:5060": 50}, user="1001", place=("10.1.4.1", 5060))
    back.register(600)
    assert tower.see(story, only="stuck-on-secondary") == ["stuck-on-secondary 10.0.0.1 440.004-600.011 1"]


@pytest.mark.parametrize("settings", [
    {**R2, "failBack.mode": "duration", "failBack.timeout": 0}, {**R2, "failBack.mode": "newRequests"},
    {**R2, "failBack.mode": "DNSTTL"}])
def test_without_a_delay_nothing_is_stuck(tower: Tower, settings: Settings) -> None:
    """A timeout of 0 keeps it away by right; with an unknown TTL, or a mode without a delay, nothing can be
    compared."""
    story = Story()
    stays_away(story, 700.0)
    assert tower.see(story, settings, only="stuck-on-secondary") == []


def test_a_phone_that_was_switched_off_is_stuck_no_longer_than_it_was_registered(tower: Tower) -> None:
    """Its registration at S was granted at 305.511 for 300 s."""
    story = Story()
    phones = registered(story, 4, granted=300)
    phones[0].fail_over(300)
    phones[1].fail_over(300)
    phones[1].register(380)
    for time in range(320, 2000, 20):
        phones[2 + time // 20 % 2].register(time)
    phones[0].call(500, S, 2.0)
    end(story, 2100)
    assert tower.see(story, only="stuck-on-secondary") == ["stuck-on-secondary 10.0.0.1 440.004-605.511 1"]


@pytest.mark.parametrize("lost", [False, True])
def test_who_lost_a_call_in_the_outage_is_no_busy_phone_for_ever(tower: Tower, lost: bool) -> None:
    """R2 ends a call through the failed server without a BYE (F9): an hour later the call is over."""
    story = Story()
    phones = registered(story, 4)
    if lost:
        phones[0].call(200, seconds=0)
    for phone in phones[:2]:
        phone.fail_over(300)
    phones[1].register(380)
    for time in range(320, 6000, 200):
        phones[2 + time // 200 % 2].register(time)
    for time in (3000, 5900):
        phones[0].register(time, S)
    for time in range(500, 6000, 300):
        phones[0].call(time, S, 2.0)
    end(story, 6100)
    (told,) = tower.see(story, only="stuck-on-secondary")
    assert told.startswith("stuck-on-secondary 10.0.0.1 4")


@pytest.mark.parametrize(("tries", "seen"), [
    ((400, 470, 540, 610, 680), []),
    ((400,), ["stuck-on-secondary 10.0.0.1 520.000- 1"]),   # for this line P was back at 400 at the earliest
])
@pytest.mark.parametrize("refused", [503, 500, 403, None])
def test_who_tries_to_return_and_is_turned_away_does_not_stay_away(
    tower: Tower, tries: Sequence[int], seen: list[str], refused: int | None
) -> None:
    """P answers others, and refuses or ignores every try of 1001: evidence counts per phone (section 1, *failure*)."""
    story = Story()
    phones = registered(story, 4)
    phones[0].fail_over(300)
    for time in range(320, 800, 20):
        phones[2 + time // 20 % 2].register(time)
    for time in tries:
        if refused is not None:
            phones[0].told(time + 0.01, phones[0].ask(time, P, "REGISTER", expires=3600), refused)
        else:
            phones[0].silence(time, method="REGISTER")
        phones[0].call(time + 40, S, 2.0)
    for time in range(700, 760, 20):
        phones[0].call(time, S, 2.0)
    end(story, 790)
    assert tower.see(story, only="stuck-on-secondary") == seen
