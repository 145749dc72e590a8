"""The store of a probe at a mirror port goes away and comes back: a few seconds of what `python -m bench.away` does for
more than a minute."""

from __future__ import annotations

import pytest

from bench.away import measured
from tests.live.mirror import why_not
from tests.store.postgres import missing

WHY_NOT = why_not() or missing()


@pytest.mark.skipif(bool(WHY_NOT), reason=f"no mirror port, or no PostgreSQL: {WHY_NOT}")
def test_what_is_said_while_postgresql_is_stopped_is_in_it_afterwards() -> None:
    told = measured(6)
    assert told.said["move"] > 6
    assert told.said["incident"] > 0
    assert told.lacked == 0
    assert told.drops == 0
    assert any("is away" in line for line in told.log)
    assert any("is back" in line for line in told.log)
