"""Each rule broken on purpose is found, at its line and time, and nothing else is said of anybody."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sipaudit.simulate.wrongs import WRONGS
from tests.score import plans
from tests.score.runs import Judged
from tests.shared import ROOT

Judge = Callable[[dict[str, Any]], Judged]
SERVERS_DOING = {"registration-without-expiry", "flapping"}


@pytest.mark.parametrize("rule", plans.SCENES)
def test_a_deviation_that_was_committed_is_found_and_nothing_else(judge: Judge, rule: str) -> None:
    seen = judge(plans.scene(rule, random.Random(rule)))
    assert seen.verdict.true[rule] > 0
    assert (seen.verdict.missed, seen.verdict.false) == ([], [])


def test_every_rule_about_phones_can_be_broken_on_purpose() -> None:
    groups = ("registration", "failover", "failback")
    files = [path for group in groups for path in Path(ROOT / "rules/ea66546" / group).glob("*.yaml")]
    rules = {path.stem for path in files if not path.name.endswith(".test.yaml")}
    assert rules == {*WRONGS, *SERVERS_DOING} == set(plans.SCENES)
