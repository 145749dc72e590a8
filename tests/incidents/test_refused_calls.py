"""Calls that a server refuses without exception, although it works otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC

import pytest

from sipaudit.report.incident_words import words_of
from tests.incidents.ground import Tower, end, registered
from tests.stories import R0, Handset, P, S, Story


def refused(story: Story, phone: Handset, time: float, to: str, status: int = 500) -> None:
    asked = phone.ask(time, P, "INVITE", to=f"sip:{to}@pbx.example.com")
    phone.told(time + 0.01, asked, 100)
    phone.told(time + 0.2, asked, status)


def test_a_server_that_refuses_every_call_is_told(tower: Tower) -> None:
    """It answers REGISTERs throughout; by section 7 that is no outage, but calls that failed."""
    story = Story()
    phones = registered(story, 4)
    for turn, time in enumerate(range(300, 600, 50)):
        refused(story, phones[turn % 3], time, "112" if turn == 2 else f"30{turn}", (500, 502, 504)[turn % 3])
        phones[3].register(time + 20)
    phones[3].call(700)
    end(story, 760)
    assert tower.see(story, emergency=["112"]) == ["calls-lost 10.0.0.1 300.000-700.100 3"]
    incident = tower.of("calls-lost")
    assert [incident.metrics[name] for name in ("calls_lost", "calls_failed", "emergency_failed")] == [0, 6, 1]
    assert "sip:1003@pbx.example.com could not make an emergency call: 504" in [
        entry.what for entry in incident.timeline]
    assert words_of(tower.report, UTC).of(incident)[1].startswith("6 calls could not be made at 10.0.0.1 from ")


@pytest.mark.parametrize(("callers", "targets", "status", "calls"), [
    ((0, 1, 2, 0, 1), "12345", 500, 5),
    ((0, 0, 0, 0, 0), "12345", 500, 0),    # one phone has a problem of its own
    ((0, 1, 2, 0, 1), "11111", 500, 0),    # the callee has a problem
    ((0, 1, 2, 0), "1234", 500, 0),        # they are few
    ((0, 1, 2, 0, 1), "12345", 503, 5),
    ((0, 1, 2, 0, 1), "12345", 486, 0),
    ((0, 1, 2, 0, 1), "12345", 404, 0),
])
def test_it_takes_several_phones_and_callees_and_what_is_the_servers_fault(
    tower: Tower, callers: Sequence[int], targets: str, status: int, calls: int
) -> None:
    story = Story()
    phones = registered(story, 3)
    for turn, (caller, target) in enumerate(zip(callers, targets, strict=True)):
        refused(story, phones[caller], 300 + 40 * turn, f"30{target}", status)
        phones[2].register(310 + 40 * turn)
    end(story, 600)
    assert tower.see(story, None, P) == (["calls-lost 10.0.0.1 300.000- 3"] if calls else [])


@pytest.mark.parametrize(("targets", "seen"), [("11111", []), ("11112", ["calls-lost 10.0.0.1 300.000- 5"])])
def test_one_callee_alone_may_be_at_fault_however_many_call(tower: Tower, targets: str, seen: list[str]) -> None:
    story = Story()
    phones = registered(story, 5)
    for turn, target in enumerate(targets):
        refused(story, phones[turn], 300 + 40 * turn, f"30{target}")
        phones[4].register(310 + 40 * turn)
    end(story, 600)
    assert tower.see(story, None, P) == seen


def test_none_that_comes_through_between_them(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 4)
    for turn in range(8):
        refused(story, phones[turn % 3], 300 + 40 * turn, f"30{turn}")
        if turn % 4 == 3:
            phones[3].call(310 + 40 * turn)
    end(story, 800)
    assert tower.see(story, None, P) == []


def test_a_call_that_another_server_takes_was_made(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 3)
    for turn in range(6):
        refused(story, phones[turn % 3], 300 + 40 * turn, f"30{turn}")
        phones[turn % 3].call(301 + 40 * turn, S, to=f"sip:30{turn}@pbx.example.com")
    end(story, 800)
    assert tower.see(story, {**R0}, only="calls-lost") == []


def gives_up(phone: Handset, time: float, to: str, after: float, *, rings: bool = False) -> None:
    """A call that gets 100, rings if `rings`, and is cancelled."""
    asked = phone.ask(time, P, "INVITE", to=f"sip:{to}@pbx.example.com")
    phone.told(time + 0.01, asked, 100)
    if rings:
        phone.told(time + 1, asked, 180)
    cancel = replace(asked, text=asked.text.replace("INVITE", "CANCEL"), method="CANCEL")
    phone.again(time + after, cancel)
    phone.told(time + after + 0.01, cancel, 200)
    phone.told(time + after + 0.02, asked, 487)


@pytest.mark.parametrize(("after", "rings", "calls"), [(18.0, False, 6), (5.0, False, 0), (18.0, True, 0)])
def test_calls_that_are_taken_and_ring_nowhere_are_lost(tower: Tower, after: float, rings: bool, calls: int) -> None:
    """Whatever should forward the calls is gone: the users hear nothing, and hang up."""
    story = Story()
    phones = registered(story, 3)
    for turn in range(6):
        gives_up(phones[turn % 3], 300 + 40 * turn, f"30{turn}", after, rings=rings)
        phones[turn % 2].register(320 + 40 * turn)
    phones[2].call(600)
    end(story, 700)
    assert tower.see(story, None, P) == (["calls-lost 10.0.0.1 300.000-600.100 3"] if calls else [])
    if calls:
        assert tower.of("calls-lost").metrics["calls_failed"] == calls
        assert "sip:1001@pbx.example.com could not make a call: nobody rang" in [
            entry.what for entry in tower.of("calls-lost").timeline]


def test_who_gives_up_soon_says_nothing_of_the_calls_of_others(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 3)
    for turn in range(5):
        refused(story, phones[turn % 3], 300 + 40 * turn, f"30{turn}")
        gives_up(phones[(turn + 1) % 3], 320 + 40 * turn, f"40{turn}", 2.0)
    end(story, 700)
    assert tower.see(story, None, P) == ["calls-lost 10.0.0.1 300.000- 3"]


def test_calls_that_an_outage_has_refused_are_told_once(tower: Tower) -> None:
    """Many phones use the server, so it takes some time until a tenth of them have been refused."""
    story = Story()
    phones = registered(story, 60)
    for index, phone in enumerate(phones):
        phone.register(250 + index * 0.8)
    for index in range(20):
        refused(story, phones[index], 300.5 + index, f"30{index}", 503)
    phones[30].call(400)
    end(story, 600)
    assert [line.split()[0] for line in tower.see(story, None, P)] == ["calls-lost", "server-outage", "overload"]
    assert tower.of("calls-lost").metrics["calls_failed"] == 20


@pytest.mark.parametrize(("after", "rings", "calls"), [
    (32.0, False, 6), (12.0, False, 6), (0.2, False, 0), (32.0, True, 0)])
def test_calls_that_the_server_itself_gives_up_after_a_while_are_lost(
    tower: Tower, after: float, rings: bool, calls: int
) -> None:
    """A proxy whose next hop does not answer sends 100, and 408 when its own timer expires. An immediate 408 may be the
    callee's fault; and if a phone rang, nobody was at home."""
    story = Story()
    phones = registered(story, 3)
    for turn in range(6):
        time = 300 + 40 * turn
        asked = phones[turn % 3].ask(time, P, "INVITE", to=f"sip:30{turn}@pbx.example.com")
        phones[turn % 3].told(time + 0.01, asked, 100)
        if rings:
            phones[turn % 3].told(time + 1, asked, 180)
        phones[turn % 3].told(time + after, asked, 408)
        phones[turn % 2].register(time + 35)
    phones[2].call(600)
    end(story, 700)
    assert tower.see(story, None, P) == (["calls-lost 10.0.0.1 300.000-600.100 3"] if calls else [])
    if calls:
        assert tower.of("calls-lost").metrics["calls_failed"] == calls
        assert "sip:1001@pbx.example.com could not make a call: 408" in [
            entry.what for entry in tower.of("calls-lost").timeline]
