"""A quarter of the load with which `python -m bench.port` measures a probe, since this machine may be busy."""

from __future__ import annotations

import pytest

from bench.captures import Workload
from bench.port import measured
from tests.live.mirror import why_not

WHY_NOT = why_not()
FLEET = Workload("port", phones=1_000, rounds=5)


@pytest.mark.skipif(bool(WHY_NOT), reason=f"no mirror port: {WHY_NOT}")
def test_at_a_quarter_of_the_load_nothing_is_dropped() -> None:
    load = measured(FLEET, sip=5_000, rtp=37_500, seconds=4)
    assert load.drops == 0
    assert load.messages == load.sip == 20_000
