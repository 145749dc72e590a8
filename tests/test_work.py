"""The work for a message stays within its budget, and is no higher in a long capture than in a short one
(tests/work.py).

Work is counted in function calls and blocks of memory. Time is for the bench to measure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sipaudit.compiled import PURE
from tests.work import A_LINE, BUDGETS, LARGE_FLEET, LINEAR, SLACK

HOW = "where it is meant so, the budgets stand in tests/work.py"


@pytest.fixture(scope="module")
def counted() -> dict[str, Any]:
    ran = subprocess.run([sys.executable, "-m", "tests.work", "--json"], capture_output=True, text=True, check=True,
                         cwd=Path(__file__).parents[1], env={**os.environ, PURE: "1"})
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


@pytest.mark.parametrize("name", BUDGETS)
def test_a_message_costs_no_more_than_its_budget(counted: dict[str, Any], name: str) -> None:
    cost, budget = counted[name], BUDGETS[name]
    assert cost["calls"] <= budget.calls * SLACK, HOW
    assert cost["blocks"] <= budget.blocks * SLACK, HOW


@pytest.mark.parametrize("name", BUDGETS)
def test_a_capture_twice_as_long_makes_twice_the_work(counted: dict[str, Any], name: str) -> None:
    assert counted[name]["calls"] <= counted[name]["calls_before"] * LINEAR


def test_a_message_costs_no_more_than_its_budget_where_the_memo_cannot_hold_all_lines(counted: dict[str, Any]) -> None:
    assert counted["large fleet"] <= LARGE_FLEET * SLACK, HOW


def test_a_line_takes_no_more_memory_than_its_budget(counted: dict[str, Any]) -> None:
    assert counted["line"] <= A_LINE * SLACK, HOW
