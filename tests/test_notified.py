"""NOTIFYs in subscriptions take a short road (`reconstruct.notified`): whatever disturbs the packets, findings and
states must be those of the long road."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.captures import Workload
from sipaudit.reconstruct.notified import Notified
from tests.roads import ODD_DIALOGS, Packets, captured, disturbed, followed, never

WATCHING = Workload("watching", phones=6, rounds=2, calls=6, talk=9.0, watch=True, spread=20.0)   # two neighbours each



@pytest.fixture(scope="module")
def packets(tmp_path_factory: pytest.TempPathFactory) -> Packets:
    return captured(tmp_path_factory.mktemp("watching"), WATCHING)


def by_both_roads(folder: Path, *captures: Packets) -> None:
    short = followed(folder, *captures)
    with patch.object(Notified, "asks", never), patch.object(Notified, "answers", never):
        assert followed(folder, *captures) == short


@settings(max_examples=100)
@given(seed=st.integers(0, 1 << 32), share=st.sampled_from([0.01, 0.05, 0.3]))
def test_both_roads_come_to_the_same(
    packets: Packets, tmp_path_factory: pytest.TempPathFactory, seed: int, share: float
) -> None:
    odd = disturbed(packets, share, random.Random(seed), ODD_DIALOGS)
    by_both_roads(tmp_path_factory.mktemp("road"), sorted(odd))


@pytest.mark.parametrize("which", range(2), ids=["NOTIFY", "200"])
def test_whatever_is_odd_in_one_of_both(packets: Packets, which: int, tmp_path: Path) -> None:
    asked = [place for place, (_, frame) in enumerate(packets) if frame[42:48] == b"NOTIFY"]
    at = asked[7]   # a NOTIFY of a call
    branch = re.search(rb"z9hG4bK\w+", packets[at][1])
    assert branch is not None
    if which:
        at = next(place for place in range(at + 1, len(packets)) if branch[0] in packets[place][1])
    time, frame = packets[at]
    for old, new in ODD_DIALOGS:
        by_both_roads(tmp_path, [*packets[:at], (time, re.sub(old, new, frame)), *packets[at + 1:]])
    for late in (0.3, 3.0, 20.0, 40.0, 3700.0):
        by_both_roads(tmp_path, [*packets[:at], *((time + late, frame) for time, frame in packets[at:])])
    for again in (0.03, 0.6, 30.0, 40.0):
        by_both_roads(tmp_path, sorted([*packets, (time + again, frame)]))
    by_both_roads(tmp_path, [*packets[:at], *packets[at + 1:]])
    by_both_roads(tmp_path, [*packets[:at], packets[at + 1], packets[at], *packets[at + 2:]])


def test_an_undisturbed_fleet_takes_it_for_all_that_is_notified(packets: Packets, tmp_path: Path) -> None:
    taken = [0, 0]

    def asks(road: Notified, *arguments: Any) -> bool:
        was = ask(road, *arguments)
        taken[0] += was
        return was

    def answers(road: Notified, *arguments: Any) -> bool:
        was = answer(road, *arguments)
        taken[1] += was
        return was

    ask, answer = Notified.asks, Notified.answers
    with patch.object(Notified, "asks", asks), patch.object(Notified, "answers", answers):
        followed(tmp_path, packets)
    notified = sum(frame[42:48] == b"NOTIFY" for _, frame in packets)
    assert taken == [notified, notified]
    assert notified >= 4 * WATCHING.phones
