"""Mere renewals are taken in one go (`model.routine`): all that the report says must stay the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import json

from sipaudit.model.events import Sent
from sipaudit.model.routine import DONE, OFF, ON, Renewals
from sipaudit.model.scenario import parse
from sipaudit.model.state import LineState
from sipaudit.run import auditor
from tests.model.fleet.story import plain
from tests.stories import Court
from tests.test_loss import declared, told
from tests.traps.ground import MODES, REGIMES
from tests.traps.test_lives import lived

LIVES = [({**REGIMES[regime], **MODES[mode]}, seed) for seed, regime in enumerate(REGIMES) for mode in MODES]


@pytest.mark.parametrize("share", [0.0, 0.02])
@pytest.mark.parametrize("run", range(len(LIVES)))
def test_lives_are_judged_alike_step_by_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: int, share: float
) -> None:
    settings, seed = LIVES[run]
    story, site = lived(settings, seed)
    if share:
        story = story.thinned(share, seed)
    at_once = json.encode(Court(tmp_path).report(story, site))
    monkeypatch.setattr(auditor, "begins", lambda *_: False)
    assert json.encode(Court(tmp_path).report(story, site)) == at_once


@pytest.mark.parametrize("seed", range(16))
def test_so_are_lives_with_many_renewals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    history = plain(seed)
    story, site = told(history), declared(history.habits)
    at_once = json.encode(Court(tmp_path).report(story, site))
    monkeypatch.setattr(auditor, "begins", lambda *_: False)
    assert json.encode(Court(tmp_path).report(story, site)) == at_once


def test_an_answer_to_another_request_ends_the_renewal() -> None:
    """A late answer of the one before: what follows is looked at one by one."""
    _, register, late, answer = parse("""entry: P S
0    > P REGISTER #1
10   > P REGISTER #2
10.1 < P 200 REGISTER #1
10.2 < P 200 REGISTER #2
""").events
    assert isinstance(register, Sent)
    renewals = Renewals(LineState(), register)
    assert renewals.take(late) is OFF
    assert renewals.take(answer) is DONE


def test_a_register_that_answers_no_challenge_ends_the_renewal() -> None:
    """Challenged, the line registers once more as if it had not heard it: no mere renewal."""
    register, challenge, again = parse("""entry: P S
0    > P REGISTER #1
0.1  < P 401 REGISTER #1
0.2  > P REGISTER #2
""").events
    assert isinstance(register, Sent)
    renewals = Renewals(LineState(), register)
    assert renewals.take(challenge) is ON
    assert renewals.take(again) is OFF
