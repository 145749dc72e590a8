"""The number of REGISTERs in each second is stored compactly, with the same results as a dictionary."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipaudit.incidents import seconds
from sipaudit.incidents.seconds import Seconds

Came = list[tuple[int, int]]


def _followed(came: Came) -> tuple[Seconds, dict[int, int]]:
    """Counts REGISTERs given as (second, how many), some of them late, and packs the counts now and then."""
    compact, plain = Seconds(), dict[int, int]()
    for number, (second, count) in enumerate(came):
        compact.counting[second] += count
        plain[second] = plain.get(second, 0) + count
        if number % 3 == 2:
            compact.lay_by(second)
    return compact, plain


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(1, 9))), st.integers(0, 200))
def test_what_was_laid_by_is_counted_as_what_was_not(came: Came, before: int) -> None:
    compact, plain = _followed(came)
    assert dict(compact.items()) == plain
    assert [compact.get(second) for second in range(201)] == [plain.get(second, 0) for second in range(201)]
    assert compact.at_most() >= max(plain.values(), default=0)
    compact.forget(before)
    assert dict(compact.items()) == {second: count for second, count in plain.items() if second >= before}


def test_late_seconds_are_laid_by_once_and_for_all() -> None:
    kept = Seconds()
    kept.counting[1_000] += 1
    kept.lay_by(1_001)
    for second in range(300, 0, -1):   # from a clock that runs backwards, and one that is ahead
        kept.counting[second] += 1
        kept.counting[second + 2_000] += 1
        kept.lay_by(1_001)
        assert not kept.counting
    assert len(kept) == 601


def test_the_older_half_goes_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seconds, "SECONDS_KEPT", 10)
    kept = Seconds()
    for second in range(11):
        kept.counting[second] += 1
    kept.lay_by(5)
    assert sorted(kept.items()) == [(second, 1) for second in range(5, 11)]
