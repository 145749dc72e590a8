"""Hostile floods: every table stays within its bound, and real phones are judged as if nothing were going on."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.floods import FLOODS
from sipaudit.run.budget import Budget
from tests.bounds.ground import Post, among, site_life, small

PACKETS = 4_000
FULL = {  # what each flood fills, and must push out of a table; names and connections are no one's but theirs
    "call_ids": {"candidates", "transactions"}, "branches": {"transactions"}, "aors": {"candidates", "transactions"},
    "aors_of_a_phone": {"candidates", "transactions"}, "granted": {"lines", "phones"},
    "accomplices": {"lines", "phones", "servers"}, "calls": {"lines", "phones", "dialogs"}, "responses": set(),
    "fragments": set(), "connections": {"streams"}, "names": {"names"},
}


def bounds_of(budget: Budget) -> dict[str, int]:
    """What each table may hold."""
    own, capture = budget.reconstruct, budget.capture
    return {
        "transactions": own.transactions + own.strange_transactions, "dialogs": own.legs + own.strange_legs,
        "phones": own.lines, "lines": own.lines, "replays": 2 * own.lines, "phone-states": own.lines + own.lines // 8,
        "candidates": own.candidates, "hidden": own.strange_lines, "sights": own.sights, "servers": own.servers,
        "names": own.names, "watched-servers": budget.watched_servers,
        "watched-requests": budget.watched_requests,
        "findings": budget.findings, "checks": budget.findings, "incidents": budget.incidents,
        "streams": capture.streams, "stream-bytes": capture.stream_bytes, "fragments": capture.fragments,
        "flows": 2 * capture.flows,
    }


@pytest.mark.parametrize("kind", FLOODS)
def test_real_phones_are_judged_in_a_flood(tmp_path: Path, kind: str) -> None:
    limits = small()
    post = Post(tmp_path, limits)
    post.hear(among(site_life(), FLOODS[kind](PACKETS), PACKETS))
    assert post.found() == ["premature-failback 1001"]
    for table, most in bounds_of(limits.budget).items():
        assert post.peak[table] <= most, table
    evicted = post.listener.upkeep.evicted
    assert FULL[kind] <= evicted.keys()
    assert post.listener.health.undecoded["fragment-bounds"] > 0 or kind != "fragments"
