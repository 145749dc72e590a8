"""Subscriptions that were not refreshed in time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sipaudit.incidents.draft import Draft, Drafts
from sipaudit.incidents.subscriptions import Subscription, Subscriptions
from sipaudit.incidents.timers import Timers
from sipaudit.model.events import Sent
from tests.incidents.ground import Tower, registered
from tests.stories import R0, P, S, Story


def subscribed(story: Story, again: float | None, until: float = 1000.0, package: str = "dialog") -> None:
    """A phone subscribes at P at 50 for 600 s, is at S from about 305 on, and subscribes there at `again`, or never."""
    phone, *_ = registered(story, 3)
    asked = phone.ask(50, P, "SUBSCRIBE", expires=600, headers="Event: dialog\r\n")
    phone.told(50.1, asked, 202)
    phone.fail_over(300)
    if again is not None:
        if again > 700:
            phone.call(700, S, 2.0)
        asked = phone.ask(again, S, "SUBSCRIBE", expires=600, headers=f"Event: {package}\r\n")
        phone.told(again + 0.1, asked, 202)
    phone.call(until, S, 2.0)


@pytest.mark.parametrize(("again", "package", "seen"), [
    (None, "dialog", ["dead-subscriptions 10.0.0.1 650.100- 1"]),
    (310.0, "dialog", []),
    (310.0, "message-summary", ["dead-subscriptions 10.0.0.1 650.100- 1"]),
    (800.0, "dialog", ["dead-subscriptions 10.0.0.1 650.100-800.000 1"]),
])
def test_a_subscription_is_dead_past_its_refresh_time(
    tower: Tower, again: float | None, package: str, seen: list[str]
) -> None:
    story = Story()
    subscribed(story, again, package=package)
    assert tower.see(story, only="dead-subscriptions") == seen


@pytest.mark.parametrize(("package", "dead"), [("dialog", False), ("message-summary", True)])
def test_what_moved_the_line_has_replaced_it(tower: Tower, package: str, dead: bool) -> None:
    """In R0 a new SUBSCRIBE goes to the next server, and is the first request that this server answers."""
    story = Story()
    phone, *_ = registered(story, 3)
    asked = phone.ask(50, P, "SUBSCRIBE", expires=600, headers="Event: dialog\r\n")
    phone.told(50.1, asked, 202)
    said: dict[str, Any] = {"expires": 600, "headers": f"Event: {package}\r\n"}
    asked = phone.ask(phone.silence(300, P, "SUBSCRIBE", **said), S, "SUBSCRIBE", **said)
    phone.told(305.6, asked, 202)
    phone.call(1000, S, 2.0)
    assert bool(tower.see(story, R0, only="dead-subscriptions")) is dead


@pytest.mark.parametrize(("calls", "dead"), [(653.0, False), (656.0, True)])
def test_a_moment_too_late_is_in_time(tower: Tower, calls: float, dead: bool) -> None:
    """The subscription expired at 650.1; the phone calls after that and subscribes anew a second later."""
    story = Story()
    phone, *_ = registered(story, 3)
    asked = phone.ask(50, P, "SUBSCRIBE", expires=600, headers="Event: dialog\r\n")
    phone.told(50.1, asked, 202)
    phone.fail_over(300)
    phone.call(calls, S, 0.5)
    asked = phone.ask(calls + 1, S, "SUBSCRIBE", expires=600, headers="Event: dialog\r\n")
    phone.told(calls + 1.1, asked, 202)
    phone.call(1000, S, 2.0)
    assert bool(tower.see(story, only="dead-subscriptions")) is dead


def lapsed(drafts: Drafts, until: float) -> Draft:
    """Lets a subscription expire at `until`; returns the incident that it belongs to."""
    sent = Sent(until - 600, 0, 1, 1, 1, P[0], "SUBSCRIBE", 1)
    one = Subscription(sent, SimpleNamespace(entry="sbc", number=1, owner=1), until)
    draft = Subscriptions(drafts, Timers())._draft(one)
    draft.lapsed(one)
    return draft


def test_after_a_clock_was_set_back_an_incident_of_before_is_over() -> None:
    """It was closed at that point, and the detectors started anew."""
    drafts = Drafts()
    before = lapsed(drafts, 10_000.0)
    assert lapsed(drafts, 10_030.0) is before
    before.close(10_100.0)
    assert lapsed(drafts, 500.0) is not before


def test_before_its_time_nothing_is_dead(tower: Tower) -> None:
    story = Story()
    subscribed(story, None, until=640.0)
    assert tower.see(story, only="dead-subscriptions") == []


@pytest.mark.parametrize(("taken", "status", "seen"), [
    ((500, 640, 900), 200, []),
    ((500, 640, 900), 481, ["dead-subscriptions 10.0.0.1 650.100- 1"]),
    ((), 200, ["dead-subscriptions 10.0.0.1 650.100- 1"]),
    ((400,), 200, ["dead-subscriptions 10.0.0.1 1000.100- 1"]),
])
def test_what_is_notified_still_is_not_dead(tower: Tower, taken: tuple[int, ...], status: int, seen: list[str]) -> None:
    """P keeps sending NOTIFYs and the phone accepts them: the subscription was refreshed unseen."""
    story = Story()
    phone, *_ = registered(story, 3)
    asked = phone.ask(50, P, "SUBSCRIBE", expires=600, call_id="sub@10.1.0.11", headers="Event: dialog\r\n")
    phone.told(50.1, asked, 202)
    phone.fail_over(300)
    for number, time in enumerate(taken):
        told = phone.called(time, P, "NOTIFY", call_id="sub@10.1.0.11", number=number + 1, tag="nearsub@10",
                            headers="Event: dialog\r\n")
        phone.replies(time + 0.1, told, status)
    phone.call(1200, S, 2.0)
    assert tower.see(story, only="dead-subscriptions") == seen


def subscribes(story: Story, time: float, seconds: int, event: str, state: str, *, again: bool = False) -> None:
    """A phone subscribes to `event` at P, gets a NOTIFY with `state`, fails over at 300, and makes a later call."""
    phone, *_ = registered(story, 3)
    asked = phone.ask(time, P, "SUBSCRIBE", expires=seconds, headers=f"Event: {event}\r\n")
    phone.told(time + 0.1, asked, 200)
    noted = phone.called(time + 0.2, P, "NOTIFY", call_id=asked.call_id, tag=asked.near,
                         headers=f"Event: {event}\r\n{state}\r\n")
    phone.replies(time + 0.3, noted, 200)
    if again:
        asked = phone.ask(time + 5, P, "SUBSCRIBE", expires=seconds, call_id=asked.call_id, tag="far",
                          headers=f"Event: {event}\r\n")
        phone.told(time + 5.1, asked, 200)
    phone.fail_over(300)
    phone.call(1200, S, 2.0)


@pytest.mark.parametrize(("state", "dead"), [
    ("Subscription-State: active;expires=600", True),
    ("Subscription-State: terminated", False),
    ("subscription-state:  Terminated ;reason=noresource", False),
])
def test_what_the_server_had_ended_before_is_not_dead(tower: Tower, state: str, dead: bool) -> None:
    """RFC 6665 4.4.1: that NOTIFY ends the dialog."""
    story = Story()
    subscribes(story, 200, 600, "dialog", state)
    assert bool(tower.see(story, only="dead-subscriptions")) is dead


@pytest.mark.parametrize(("seconds", "again", "dead"), [(15, False, False), (60, False, False), (60, True, True),
                                                        (120, False, True)])
def test_what_was_to_end_by_itself_is_not_dead(tower: Tower, seconds: int, again: bool, dead: bool) -> None:
    """A shared line is seized for one call, and that is never renewed. What was refreshed once should be again."""
    story = Story()
    subscribes(story, 290, seconds, "line-seize", f"Subscription-State: active;expires={seconds}", again=again)
    assert bool(tower.see(story, only="dead-subscriptions")) is dead


def test_what_the_server_ends_after_the_move_lives_no_longer_for_that(tower: Tower) -> None:
    """The phone accepts that NOTIFY as well, but it says that the subscription has ended."""
    story = Story()
    phone, *_ = registered(story, 3)
    asked = phone.ask(50, P, "SUBSCRIBE", expires=600, headers="Event: dialog\r\n")
    phone.told(50.1, asked, 202)
    phone.fail_over(300)
    noted = phone.called(600, P, "NOTIFY", call_id=asked.call_id, tag=asked.near,
                         headers="Event: dialog\r\nSubscription-State: terminated;reason=timeout\r\n")
    phone.replies(600.1, noted, 200)
    phone.call(700, S, 2.0)
    assert tower.see(story, only="dead-subscriptions") == ["dead-subscriptions 10.0.0.1 650.100- 1"]


@pytest.mark.parametrize("settles", [0.02, 5.0])
def test_one_that_was_answered_with_100_first_is_known(tower: Tower, settles: float) -> None:
    story = Story()
    phone, *_ = registered(story, 3)
    asked = phone.ask(50, P, "SUBSCRIBE", expires=600, headers="Event: dialog\r\n")
    phone.told(50.01, asked, 100)
    phone.told(50 + settles, asked, 202)
    phone.fail_over(300)
    phone.call(1000, S, 2.0)
    assert tower.see(story, only="dead-subscriptions") == [f"dead-subscriptions 10.0.0.1 {650 + settles:.3f}- 1"]
    assert sum(minute.unanswered for minute in tower.report.minutes) == 1   # the call of 300
