"""Whatever the packets contain, incidents stay within bounds, and the report says what was left out."""

from __future__ import annotations

import pytest

from sipaudit.incidents import draft, metrics, minutes, servers, tally
from sipaudit.incidents.draft import Drafts
from sipaudit.incidents.of_some import BEFORE_KEPT
from sipaudit.incidents.outage import Outage
from tests.incidents.ground import Tower, registered
from tests.stories import S, Story


def outages(story: Story, count: int) -> None:
    """One phone whose server fails and comes back, over and over."""
    (phone,) = registered(story, 1)
    for index in range(count):
        phone.silence(100 + 100 * index, method="REGISTER")
        phone.register(120 + 100 * index)
        phone.register(150 + 100 * index)


def test_incidents_beyond_the_bound_are_counted(tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft, "DRAFTS_KEPT", 3)
    story = Story()
    outages(story, 5)
    assert len(tower.see(story)) == 3
    assert "2 incidents beyond the first 3 are not reported." in tower.report.notes


def test_one_of_many_happenings_is_counted_once() -> None:
    drafts = Drafts()
    drafts.limit = 1
    drafts.series("ghost-calls", "10.0.0.1", None, 0.0, 600.0)
    for second in range(50):
        drafts.series("stale-dns", "10.0.0.2", None, 100.0 + second, 600.0)
    assert drafts.dropped == 1


def test_so_are_minutes(tower: Tower, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minutes, "MINUTES_KEPT", 4)
    story = Story()
    outages(story, 5)
    tower.see(story)
    assert len(tower.report.minutes) == 4
    assert any("minutes of servers" in note for note in tower.report.notes)


def test_a_phone_that_asks_everybody_makes_no_more_servers_than_are_kept(
    tower: Tower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "SERVERS_KEPT", 5)
    story = Story()
    (phone,) = registered(story, 1)
    for index in range(100):
        phone.silence(100 + 10 * index, (f"10.77.0.{index}", 5060), "REGISTER")
    tower.see(story)
    assert len({row.server for row in tower.report.minutes}) == 5


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_a_flood_of_requests_is_one_incident(tower: Tower, method: str) -> None:
    """2,000 requests of one phone in two seconds stay unanswered; another phone's are answered."""
    story = Story()
    phone, other = registered(story, 2)
    for index in range(2000):
        phone.again(102.5 + index / 1000, phone.ask(100 + index / 1000, S, method, expires=3600))
    other.register(200)
    story.murmur(200, 260)
    found = tower.see(story, only="server-outage")
    assert found == ["server-outage 10.0.0.2 100.000- 1"]
    assert len(tower.of("server-outage").evidence) == draft.EVIDENCE_KEPT


@pytest.mark.parametrize(("percent", "value"), [(50, 10), (95, 19), (100, 20)])
def test_percentiles_are_nearest_rank(percent: int, value: int) -> None:
    assert metrics.percentile([float(number) for number in range(20, 0, -1)], percent) == value
    assert metrics.percentile([7.0], percent) == 7.0
    assert metrics.percentile([], percent) is None


def test_what_is_kept_of_one_server_does_not_grow_with_what_it_is_asked() -> None:
    one = servers.ServerWatch("10.0.0.1:5060", minutes.Minute(0.0))
    for second in range(10_000):
        one.used(1, float(second))
        one.lived(float(second), float(second), 1)
        one.lived_registering(float(second), float(second), 1)
        one.minute.took(second / 7)
        one.minute.asked(f"METHOD{second}")
    assert len(one.users) == 1
    assert len(one.lives) == len(one.registered) == servers.LIVES_KEPT
    assert len(one.minute.requests) <= minutes.METHODS_KEPT + 1
    assert len(one.minute.delays) <= 1000 + minutes.SLOWEST / 100


def test_a_server_of_which_the_first_phones_were_forgotten_is_still_used_by_others() -> None:
    one = servers.ServerWatch("10.0.0.1:5060", minutes.Minute(0.0))
    for phone in range(2 * servers.USERS_KEPT):
        one.used(phone, phone / 1000)
    assert len(one.users) == servers.USERS_KEPT
    one.release(set(), set(range(servers.USERS_KEPT)))
    assert one.users == set(range(servers.USERS_KEPT, 2 * servers.USERS_KEPT))


def test_outages_before_one_that_may_be_the_same_are_few() -> None:
    last = None
    for number in range(40):
        outage = Outage(number * 100.0, "10.0.0.1:5060", None)
        outage.comes_after(last)
        last = outage
    assert last is not None
    assert len(last.some.before) == BEFORE_KEPT
    assert not any(one.some.before for one in last.some.before)
