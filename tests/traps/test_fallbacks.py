"""Moves between the entries of a line: fallback (reference-model.md 1, *server entry*), reported but judged by no
rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sipaudit.model.sayings import LineSaid, MoveSaid
from tests.live.ear import Ear
from tests.stories import BRANCH, CALLEE, Court, Handset, P, S, Story
from tests.traps.ground import any_regime, handset, minute
from tests.wire import ORIGIN

HERE, OTHER, THERE = "10.0.0.1:5060/udp", "10.0.0.2:5060/udp", "10.9.0.1:5060/udp"


def with_branch(regime: str) -> dict[str, Any]:
    declared = minute(regime)
    declared["entries"]["branch"] = [{"address": BRANCH[0]}]
    declared["lines"][0]["entry"] = ["sbc", "branch"]
    return declared


def told(court: Court, phone: Handset, regime: str = "R2", **job: Any) -> tuple[list[str], str]:
    """The moves of the one line, and its working server at the end."""
    line, = court.report(phone.story, with_branch(regime), **job).lines
    moves = [f"{move.time - ORIGIN:.3f} {move.kind} {move.from_} {move.to} {move.cause}" for move in line.moves]
    return moves, line.working


@any_regime
def test_there_and_back_by_calls(court: Court, regime: str) -> None:
    """The phone keeps registrations with both entries, so its calls show where it works."""
    phone = handset()
    phone.register(0.5, BRANCH, call_id="branch@10.1.0.5")
    phone.call(phone.silence(300), BRANCH)
    phone.register(330, P, call_id="reg-1001@10.1.0.5")
    phone.register(331, BRANCH, call_id="branch@10.1.0.5")
    there = f"306.500 fallback {HERE} {THERE} timeout"
    assert told(court, phone, regime) == ([there], THERE)
    phone.call(400, P)
    assert told(court, phone, regime) == ([there, f"401.000 fallback {THERE} {HERE} unknown"], HERE)
    assert court(phone.story, with_branch(regime)) == []


def test_a_registration_tells_where_the_server_before_has_failed(court: Court) -> None:
    phone = handset()
    phone.register(phone.silence(300, method="REGISTER"), BRANCH)
    assert told(court, phone) == ([f"305.511 fallback {HERE} {THERE} timeout"], THERE)


def test_after_a_failover(court: Court) -> None:
    """It starts where the line had gone inside its first entry, and ends at the server of that entry where it works
    again."""
    phone = handset()
    phone.fail_over(300)
    phone.register(phone.silence(phone.silence(400, S), P, "REGISTER"), BRANCH)
    phone.call(420, BRANCH)
    phone.register(500, P)
    phone.call(510, P)
    moves, working = told(court, phone)
    assert moves == [f"305.511 failover {HERE} {OTHER} timeout", f"411.011 fallback {OTHER} {THERE} timeout",
                     f"500.011 failover {OTHER} {HERE} timeout", f"511.000 fallback {THERE} {HERE} unknown"]
    assert working == HERE


def test_registrations_with_both_are_no_move(court: Court) -> None:
    phone = handset()
    for time in (1, 1800, 3600):
        phone.register(time, BRANCH, call_id="branch@10.1.0.5")
        phone.register(time + 1, P, call_id="reg-1001@10.1.0.5")
    assert told(court, phone) == ([], HERE)


def test_an_emergency_call_is_no_move(court: Court) -> None:
    declared = {**with_branch("R2"), "emergency": ["112"]}
    phone = handset()
    phone.call(300, BRANCH, to=CALLEE.replace("2000", "112"))
    line, = court.report(phone.story, declared).lines
    assert (line.moves, line.working) == ([], HERE)


def test_a_live_run_tells_them_once_and_what_it_did_not_see_is_no_move(tmp_path: Path) -> None:
    phone = handset()
    phone.call(phone.silence(300), BRANCH)
    phone.call(400, P)
    phone.call(500, BRANCH)
    ear = Ear(tmp_path, with_branch("R0"))
    ear.hears(phone.story, until=450)
    moves = [one.move for one in ear.said if isinstance(one, MoveSaid)]
    assert [(move.kind, move.to) for move in moves] == [("fallback", THERE), ("fallback", HERE)]
    later = ear.again(tmp_path, after=10)
    later.hears(phone.story, since=450)
    later.turn(900)
    assert not [one for one in later.said if isinstance(one, MoveSaid)]
    assert [one.line.working for one in later.said if isinstance(one, LineSaid)][-1] == THERE


def test_who_falls_back_has_moved_in_the_outage(court: Court) -> None:
    """Two phones turn to the branch, one by a call, the other by a REGISTER."""
    story = Story()
    one, other = handset(story), Handset(story, user="1002", place=("10.1.0.6", 5060))
    other.register(1)
    one.call(one.silence(300), BRANCH)
    other.register(other.silence(310, method="REGISTER"), BRANCH)
    outage, = court.report(story, with_branch("R1")).incidents
    times = [outage.metrics[f"time_to_{what}_max"] for what in ("detect", "recover")]
    assert (outage.kind, outage.server, times) == ("server-outage", HERE, [5.5, 6.5])
    assert (outage.metrics["lines_moved"], outage.metrics["lines_stayed"]) == (2, 0)
