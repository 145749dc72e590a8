"""Calls that ended with their server, and calls that could not be made."""

from __future__ import annotations

import pytest

from tests.incidents.ground import Tower, end, registered
from tests.stories import P, Story
from tests.wire import ORIGIN


def test_calls_are_lost_with_the_server_and_cannot_be_made(tower: Tower) -> None:
    """1001 is in a call that nobody hears of again; 1002 hangs up into silence; 1003 calls 112 in vain; 1004's call
    comes through S in the end."""
    story = Story()
    phones = registered(story, 5)
    phones[0].call(200, seconds=0)
    asked = phones[1].ask(210, P, "INVITE")
    phones[1].told(211, asked, 200)
    phones[1].silence(299, method="REGISTER")
    phones[1].hang_up(310, asked, answered=False)
    phones[2].silence(305, to="sip:112@pbx.example.com")
    phones[3].fail_over(310)
    phones[4].register(400)
    end(story, 420)
    tower.see(story, emergency=["112"])
    lost = tower.of("calls-lost")
    assert (lost.start - ORIGIN, (lost.end or 0) - ORIGIN) == (299.0, pytest.approx(400.004))
    assert lost.lines == ["sip:1001@pbx.example.com", "sip:1003@pbx.example.com"]
    assert [lost.metrics[name] for name in ("calls_lost", "calls_failed", "emergency_failed")] == [1, 1, 1]
    assert "sip:1003@pbx.example.com could not make an emergency call" in [entry.what for entry in lost.timeline]


def test_a_call_that_is_heard_of_again_is_not_lost(tower: Tower) -> None:
    story = Story()
    phones = registered(story, 4)
    phones[0].call(200, seconds=300)   # its BYE, and P's answer, at 500
    for phone in phones[1:3]:
        phone.fail_over(300)
    phones[3].register(400)
    assert tower.see(story, only="calls-lost") == []
