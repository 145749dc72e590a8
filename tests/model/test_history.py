"""The rows that a line's history stores are bounded, however often the line moves."""

from __future__ import annotations

import pytest

from sipaudit.model import history
from sipaudit.model.history import History
from sipaudit.model.replay import replay
from sipaudit.model.scenario import Scenario, parse
from sipaudit.model.state import LineState, Track
from sipaudit.rulebook.trial import ScenarioLine

KEPT = 3
P = "10.0.0.1:5060"
HEAD = """entry: P S
settings: reRegisterOn=1 failRegistrationOn=1 onlySignalWithRegistered=1 failBack.mode=duration failBack.timeout=60
0     > P REGISTER fresh
0.1   < P 200 REGISTER expires=3600
"""
THERE_AND_BACK = """{0}    > P REGISTER
{0}.4  >> P REGISTER
{1}    > S REGISTER
{1}.1  < S 200 REGISTER expires=3600
{2}    > P REGISTER
{2}.1  < P 200 REGISTER expires=3600
"""


def lived(scenario: Scenario) -> tuple[History, LineState]:
    """The history's rows after this life, and the line's state at its end."""
    subject, seen, state = ScenarioLine(scenario.profile, scenario.names), History(), LineState()
    for step in replay(scenario.events, scenario.profile):
        seen.take(step, subject)
        state = step.after
    return seen, state


def test_a_line_that_moves_without_end_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "ROWS_KEPT", KEPT)
    rounds = [THERE_AND_BACK.format(start, start + 4, start + 100) for start in range(300, 3000, 300)]
    scenario = parse(HEAD + "".join(rounds))
    subject = ScenarioLine(scenario.profile, scenario.names)
    seen, state = lived(scenario)
    assert [subject.server(move.target) for move in seen.moves] == ["S", "P", "S"]
    assert len(seen.tries) == len(seen.ended) == KEPT
    here = state.stays[subject.track]
    assert here is not None
    assert subject.server(here.server) == "P"


def test_what_became_of_registrations_in_a_blind_interval_is_not_known() -> None:
    """A registration that would have expired by then has expired; otherwise its end is unknown. S never granted one."""
    scenario = parse(HEAD + "10 > S REGISTER\n10.1 < S 403 REGISTER\n")
    seen, state = lived(scenario)
    seen.view_begins(state, 1000.0, Track.REGISTERED)
    assert [(row.server, row.until, row.end) for row in seen.ended] == [(P, 1000.0, "unknown")]
    seen, state = lived(scenario)
    seen.view_begins(state, 5000.0, Track.REGISTERED)
    assert [(row.server, row.until, row.end) for row in seen.ended] == [(P, 3600.1, "expired")]


def test_what_a_failover_had_ended_before_a_blind_interval_stays_ended_then() -> None:
    """In R2 the registration at the server that was left is invalid; in R1 it is not, and may still exist."""
    seen, state = lived(parse(HEAD + "".join(THERE_AND_BACK.format(300, 304, 400).splitlines(keepends=True)[:4])))
    left = max(binding.left or 0.0 for binding in state.bindings)
    assert left > 300
    seen.view_begins(state, 1000.0, Track.REGAINED)
    assert [(row.until, row.end) for row in seen.ended if row.server == P] == [(left, "invalidated")]
    seen, state = lived(parse(HEAD + "".join(THERE_AND_BACK.format(300, 304, 400).splitlines(keepends=True)[:4])))
    seen.view_begins(state, 1000.0, Track.REGISTERED)
    assert [(row.until, row.end) for row in seen.ended if row.server == P] == [(1000.0, "unknown")]


def test_blind_intervals_without_end_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "ROWS_KEPT", KEPT)
    seen, state = lived(parse(HEAD))
    for now in range(100, 1000, 100):
        seen.view_begins(state, now, Track.REGISTERED)
    assert [row.until for row in seen.ended] == [100, 200, 300]


def test_what_is_over_is_forgotten_but_where_the_line_is_and_why() -> None:
    rounds = [THERE_AND_BACK.format(start, start + 4, start + 100) for start in (300, 600, 900)]
    seen, _ = lived(parse(HEAD + "".join(rounds)))
    moves, tries, ended = len(seen.moves), len(seen.tries), len(seen.ended)
    seen.forget(100.0)
    assert (len(seen.moves), len(seen.tries), len(seen.ended)) == (moves, tries, ended)
    seen.forget(650.0)
    assert [move.time for move in seen.moves] == [700.1, 904.1, 1000.1]
    assert [one.request.time for one in seen.tries] == [700, 1000]
    assert [row.until for row in seen.ended] == [904.1]
    seen.forget(5000.0)
    assert [move.time for move in seen.moves] == [1000.1]
    assert seen.moves[-1].evidence == ()  # the evidence was reported and is forgotten
    assert (seen.tries, seen.ended) == ((), ())


def test_a_try_to_return_is_one_though_the_servers_are_far_away() -> None:
    """An answer after 450 ms is no answer to a request that timed out."""
    seen, _ = lived(parse(HEAD + """300 > P REGISTER
304 > S REGISTER
304.45 < S 200 REGISTER expires=3600
400 > P REGISTER
400.45 < P 200 REGISTER expires=3600
"""))
    assert [(one.request.time, one.result) for one in seen.tries] == [(400, "answered")]


MOVED = "".join(THERE_AND_BACK.format(300, 304, 400).splitlines(keepends=True)[:4])


@pytest.mark.parametrize(("then", "results"), [
    ("500 > P REGISTER\n500.1 < P 200 REGISTER expires=3600\n", ["timeout", "answered"]),
    ("410 > P REGISTER\n410.1 < P 503 REGISTER\n500 > S INVITE\n", ["timeout", "refused"]),
    ("410 > P REGISTER #99\n411 < P 200 REGISTER #98 expires=3600\n", ["answered", "unknown"]),
    ("410 > P REGISTER #99\n412 < P 200 REGISTER #99 expires=3600\n", ["unknown", "answered"]),
])
def test_what_came_of_a_try_is_told_by_what_comes_after_the_next_one(then: str, results: list[str]) -> None:
    seen, _ = lived(parse(HEAD + MOVED + "400 > P REGISTER #98\n" + then))
    assert [one.result for one in seen.tries] == results


@pytest.mark.parametrize("then", ["403.1 < P 487 INVITE\n", "403.1 < P 200 INVITE\n", "440 > S INVITE\n"])
def test_a_try_that_the_phone_takes_back_is_abandoned(then: str) -> None:
    """Whatever answer it gets then, or none: its result would have been unknown."""
    life = HEAD.replace("reRegisterOn=1", "reRegisterOn=0") + MOVED
    seen, _ = lived(parse(f"{life}400 > P INVITE\n403 > P CANCEL\n{then}"))
    assert [one.result for one in seen.tries] == ["abandoned"]
