"""Servers that fail in every way: phones cope as they can, and none is accused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sipaudit.simulate.plan.read import FAULTS
from tests.score.plans import REGIMES
from tests.score.runs import Judged
from tests.simulate.plans import plan, settings

Judge = Callable[[dict[str, Any]], Judged]
CALLS = {"calls": [{"every": 40, "seconds": 8}]}


@pytest.mark.parametrize("regime", ["R0", "R2"])
@pytest.mark.parametrize("kind", FAULTS)
def test_no_fault_of_a_server_makes_a_phone_guilty(judge: Judge, kind: str, regime: str) -> None:
    assert regime in REGIMES
    transport = {"reset": "tcp", "tls-alert": "tls"}.get(kind, "udp")
    fault = {"kind": kind, "from": 150, "to": 330, "target": "sbc2"}
    seen = judge(plan({"settings": settings(regime, "duration"), "transport": transport, **CALLS}, faults=[fault]))
    assert (seen.verdict.missed, seen.verdict.false) == ([], [])


@pytest.mark.parametrize(("fault", "cause"), [
    ({"kind": "silent"}, "timeout"), ({"kind": "unreachable"}, "icmp"), ({"kind": "unavailable"}, "503"),
])
def test_what_moved_a_phone_is_told(judge: Judge, fault: dict[str, Any], cause: str) -> None:
    told = plan({"habits": {"on-503": "moves"}, **CALLS}, faults=[fault | {"from": 150, "to": 330}])
    causes = {move.cause for line in judge(told).report.lines for move in line.moves if move.kind == "failover"}
    assert causes == {cause}


def test_stale_nonces_other_contacts_and_slow_answers_change_nothing(judge: Judge) -> None:
    told = plan(CALLS)
    for server in told["servers"].values():
        server |= {"challenge": "all", "nonce-life": 30, "contacts": 3, "answer": 0.4}
    seen = judge(told)
    assert seen.found == []
    assert seen.moves == seen.true_moves != []
