"""Each rule broken on purpose is found, at its line and time, and there is no other finding."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sipaudit.simulate.plan.values import WRONGS
from tests.score import plans
from tests.score.runs import Judged
from tests.shared import ROOT
from tests.simulate.plans import plan, settings

Judge = Callable[[dict[str, Any]], Judged]
SERVERS_DOING = {"registration-without-expiry", "flapping"}


@pytest.mark.parametrize("rule", plans.SCENES)
def test_a_deviation_that_was_committed_is_found_and_nothing_else(judge: Judge, rule: str) -> None:
    seen = judge(plans.scene(rule, random.Random(rule)))
    assert seen.verdict.true[rule] > 0
    assert (seen.verdict.missed, seen.verdict.false) == ([], [])


@pytest.mark.parametrize("rule", plans.SCENES)
def test_nothing_is_missed_nor_made_up_where_phones_look_up_their_servers(judge: Judge, rule: str) -> None:
    """DNS answers live a minute or two: a lookup is a contact with the primary, and comes before the request."""
    told = plans.scene(rule, random.Random(rule))
    for entry in told["entries"].values():
        entry |= {"name": "sip.example.com", "ttl": entry.pop("dns-ttl")}
    seen = judge(told)
    assert (seen.verdict.missed, seen.verdict.false) == ([], [])


def test_every_rule_about_phones_can_be_broken_on_purpose() -> None:
    groups = ("registration", "failover", "failback")
    files = [path for group in groups for path in Path(ROOT / "rules/ea66546" / group).glob("*.yaml")]
    rules = {path.stem for path in files if not path.name.endswith(".test.yaml")}
    assert rules == {*WRONGS, *SERVERS_DOING} == set(plans.SCENES)


@pytest.mark.parametrize(("back", "surely"), [(260, False), (245, True)])
def test_a_try_for_which_no_connection_opens_is_on_no_wire(judge: Judge, back: int, surely: bool) -> None:
    """The phone wants to return at 250 s; over TCP, its REGISTER is only seen if the server accepts the connection."""
    slow = settings("R2", "duration") | {"failBack.timeout": 120}
    told = plan({"count": 1, "transport": "tcp", "settings": slow, "deviates": "premature-failback"},
                faults=[{"kind": "silent", "from": 200, "to": back}])
    seen = judge(told)
    assert (seen.verdict.missed, seen.verdict.false) == ([], [])
    assert (sum(seen.verdict.true.values()), [rule for rule, _ in seen.found]) == (
        (1, ["premature-failback"]) if surely else (0, []))


@pytest.mark.parametrize(("ttl", "surely"), [(30, False), (3600, True)])
def test_a_name_that_is_looked_up_for_a_call_excuses_it(judge: Judge, ttl: int, surely: bool) -> None:
    """A lookup of the servers' addresses is a contact with the first of them, in the wide sense that acquits. With a
    TTL of 30 s each call has one, so that no deviation is committed."""
    told = plan({"settings": settings("R0", "newRequests"), "deviates": "primary-not-tried-first",
                 "calls": [{"at": [100, 205, 300, 400, 500], "seconds": 8}]},
                faults=[{"kind": "silent", "from": 200, "to": 450}],
                entries={"sbc": {"servers": ["sbc1", "sbc2"], "name": "sip.example.com", "ttl": ttl}})
    seen = judge(told)
    assert (seen.verdict.missed, seen.verdict.false) == ([], [])
    assert bool(seen.verdict.true["primary-not-tried-first"]) is surely
