"""Small captures that lack packets with hardly a trace: no certain finding rests on what was merely not captured."""

from __future__ import annotations

import pytest

from tests.score.thinned import at_random
from tests.shared import ROOT


@pytest.mark.parametrize(("recording", "seed"), [
    ("everyday", 11),   # lost: the REGISTER of a failback, and its 200
    ("names", 28),      # lost: the same in R2
    ("refused", 84),    # lost: an INVITE, and the ICMP error about it
    ("names", 121),     # lost: the 200 to the REGISTER at the new server
])
def test_what_a_recording_of_a_minute_lacks_convicts_nobody(recording: str, seed: int) -> None:
    verdict = at_random(ROOT / "samples" / "lab" / recording, 0.05, seed)
    assert verdict.false == []
    assert sum(verdict.inconclusive.values()) > 0
