"""The incidents of the samples: exactly one for each thing that happened."""

from __future__ import annotations

from itertools import combinations
from math import inf
from pathlib import Path

import pytest

from sipaudit import pipeline
from sipaudit.model.values import Incident
from tests.shared import ROOT

OUTAGES = ("server-outage", "partial-outage")
SAMPLES = sorted(path.parent for path in (ROOT / "samples").glob("**/truth.json"))


def incidents(sample: Path) -> list[Incident]:
    job = pipeline.Job(paths=(str(sample / "capture.pcap"),), site=str(sample / "site.yaml"))
    return pipeline.analyze(job).incidents


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_a_server_is_out_once_at_a_time(sample: Path) -> None:
    out = [one for one in incidents(sample) if one.kind in OUTAGES]
    assert not [(one.id, other.id) for one, other in combinations(out, 2) if one.server == other.server
                and one.start < (other.end or inf) and other.start < (one.end or inf)]


def test_a_server_that_registers_and_lets_calls_run_out_is_one_incident() -> None:
    """In between it looked like a full outage that ended with the answer to a REGISTER."""
    found = incidents(ROOT / "samples" / "partial-outage")
    assert [one.kind for one in found] == ["partial-outage", "flapping"]
