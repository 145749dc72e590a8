"""What a line's history keeps is bounded, however often the line moves."""

from __future__ import annotations

import pytest

from sipaudit.model import history
from sipaudit.model.history import History
from sipaudit.model.replay import replay
from sipaudit.model.scenario import parse
from sipaudit.model.state import LineState
from sipaudit.rulebook.trial import ScenarioLine

KEPT = 3
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


def test_a_line_that_moves_without_end_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "ROWS_KEPT", KEPT)
    rounds = [THERE_AND_BACK.format(start, start + 4, start + 100) for start in range(300, 3000, 300)]
    scenario = parse(HEAD + "".join(rounds))
    subject, seen, state = ScenarioLine(scenario.profile, scenario.names), History(), LineState()
    for step in replay(scenario.events, scenario.profile):
        seen.take(step, subject)
        state = step.after
    assert [subject.server(move.target) for move in seen.moves] == ["S", "P", "S"]
    assert len(seen.tries) == len(seen.ended) == KEPT
    here = state.stays[subject.track]
    assert here is not None
    assert subject.server(here.server) == "P"
