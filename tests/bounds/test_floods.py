"""In hostile floods every table stays within its bound, and real phones are judged as usual."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.floods import FLOODS
from tests.bounds.ground import Post, among, bounds_of, site_life, small

PACKETS = 4_000
FULL = {  # the tables from which each flood must evict; only the floods themselves have names and connections
    "call_ids": {"candidates", "transactions"}, "branches": {"transactions"}, "aors": {"candidates", "transactions"},
    "aors_of_a_phone": {"candidates", "transactions"}, "granted": {"lines", "phones"},
    "accomplices": {"lines", "phones", "servers"}, "calls": {"lines", "phones", "dialogs"}, "responses": set(),
    "fragments": set(), "connections": {"streams"}, "names": {"names"},
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
