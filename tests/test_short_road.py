"""Renewals on the short road (`reconstruct.short_road`): whatever disturbs them, findings and states must be those of
the long road."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.captures import SITE
from sipaudit.pipeline import Job
from sipaudit.reconstruct.bounds import WORDS
from sipaudit.reconstruct.four_in_a_row import FourInARow
from sipaudit.reconstruct.requests import Requests
from sipaudit.reconstruct.responses import Responses
from sipaudit.reconstruct.short_road import ShortRoad
from sipaudit.run.run import Run
from tests.frames import write_pcap
from tests.roads import CROWD, FLEET, ODD_RENEWALS, Packets, captured, disturbed, followed, never

OVER_TCP = replace(FLEET, phones=12, rounds=4, transport="tcp")
SPLIT = 2   # phones whose segments are too small for a REGISTER



@pytest.fixture(scope="module", params=[FLEET, CROWD], ids=["fleet", "crowd"])
def packets(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Packets:
    return captured(tmp_path_factory.mktemp("fleet"), request.param)


@settings(max_examples=100)
@given(seed=st.integers(0, 1 << 32), share=st.sampled_from([0.01, 0.05, 0.3]))
def test_both_roads_come_to_the_same(
    packets: Packets, tmp_path_factory: pytest.TempPathFactory, seed: int, share: float
) -> None:
    by_both_roads(tmp_path_factory.mktemp("road"), sorted(disturbed(packets, share, random.Random(seed))))


def by_both_roads(folder: Path, *captures: Packets) -> None:
    short = followed(folder, *captures)
    with the_short_road_closed():
        assert followed(folder, *captures) == short


@contextmanager
def the_short_road_closed() -> Iterator[None]:
    with ExitStack() as long:
        for road, way in ((ShortRoad, "asks"), (ShortRoad, "answers"), (ShortRoad, "repeats"), (FourInARow, "take")):
            long.enter_context(patch.object(road, way, never))
        yield


@settings(max_examples=40)
@given(seed=st.integers(0, 1 << 32), share=st.sampled_from([0.01, 0.05, 0.3]))
def test_who_notes_renewals_is_told_by_both_roads_the_same(
    packets: Packets, tmp_path_factory: pytest.TempPathFactory, seed: int, share: float
) -> None:
    capture = write_pcap(tmp_path_factory.mktemp("noted") / "capture.pcap",
                         sorted(disturbed(packets, share, random.Random(seed))))
    short = noted(capture)
    with the_short_road_closed():
        assert noted(capture) == short


def noted(capture: Path) -> list[tuple[Any, ...]]:
    """For each message: its frame, the phone it belongs to, and whether it is a retransmission."""
    told: list[tuple[Any, ...]] = []
    Run(Job((str(capture),), site=str(SITE), jobs=1), print,
        note=lambda item, _, whose, repeated: told.append((item.frame, *whose, repeated))).drive()
    return told




@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory) -> Packets:
    """Seven registrations of one phone."""
    two = captured(tmp_path_factory.mktemp("lone"), replace(FLEET, phones=2, rounds=7))
    return [(time, frame) for time, frame in two if two[0][1][26:30] in (frame[26:30], frame[30:34])]


@pytest.mark.parametrize("which", range(4), ids=["REGISTER", "401", "again", "200"])
def test_whatever_is_odd_in_one_message_of_a_renewal(lone: Packets, which: int, tmp_path: Path) -> None:
    at = 8 + which   # of the third registration
    time, frame = lone[at]
    for old, new in ODD_RENEWALS:   # in two renewals, with undisturbed ones between
        by_both_roads(tmp_path, [(time, re.sub(old, new, frame) if place in (at, at + 12) else frame)
                                 for place, (time, frame) in enumerate(lone)])
    for late in (0.0001, 0.3, 0.499, 0.501, 3.0, 5.0, 20.0, 40.0, 100.0, 3700.0):
        by_both_roads(tmp_path, [*lone[:at], *((time + late, frame) for time, frame in lone[at:])])
    for early in (-40.0, -3.0, -0.05, 0.05):   # as if stamped by the clock of another tap
        by_both_roads(tmp_path, [*lone[:at], (time + early, frame), *lone[at + 1:]])
    by_both_roads(tmp_path, [*lone[:at], *lone[at + 1:]])
    soon = [(time - 3520.0, frame) for time, frame in lone[12:16]]   # the next registration
    by_both_roads(tmp_path, [*lone[:at], *lone[at + 1:12], *soon])
    by_both_roads(tmp_path, [*lone[:at], (time, frame), (time + 0.03, frame), *lone[at + 1:]])
    by_both_roads(tmp_path, [*lone[:at], lone[at + 1], lone[at], *lone[at + 2:]])
    for again in (0.6, 30.0, 40.0):   # repeated, when the renewal is long over
        by_both_roads(tmp_path, [*lone[:12], (time + again, frame), *lone[12:]])
    by_both_roads(tmp_path, [*lone[:at], (time, lone[at - 4][1]), *lone[at + 1:]])   # the same bytes as last time


@pytest.mark.parametrize("used", [(0, 1), (2, 3), (0, 1, 2, 3)])
def test_branches_that_were_used_lately(lone: Packets, used: tuple[int, ...], tmp_path: Path) -> None:
    third, fourth = lone[8:12], lone[12:16]
    branches = [re.search(rb"z9hG4bK\w+", frame) for _, frame in third]
    again = [(then + 20.0, re.sub(rb"z9hG4bK\w+", branch[0], frame) if place in used and branch else frame)
             for place, ((then, _), (_, frame), branch) in enumerate(zip(third, fourth, branches, strict=True))]
    by_both_roads(tmp_path, [*lone[:12], *again])
    alike = [(time, re.sub(rb"(?<=z9hG4bK)\w+", b"F" * 16, frame)) for time, frame in fourth]
    by_both_roads(tmp_path, [*lone[:12], *alike])
    for resent in (again, alike):   # the earlier messages and those with their branches are both still remembered
        for _, frame in [*third, *resent]:
            by_both_roads(tmp_path, [*lone[:12], *resent, (resent[-1][0] + 5.0, frame)])


@pytest.mark.parametrize("new", [
    (rb"Call-ID: ....", b"Call-ID: last"), (rb"VVX_500", b"VVX_600"), (rb"5060>", b"5061>"),
    (rb"5060;branch", b"5061;branch"), (rb"\n\x00\x00\x01", b"\n\x00\x00\x02"),
    (rb"(?s)\A(.{34})\x13\xc4", b"\\1\x13\xc5"), (rb"pires(.*)3600", rb"pires\g<1>1800"),
    (rb"To: (.*)<sip:1", rb"To: \1<sip:2"), (rb"CSeq: ", b"CSeq: 1"),
])
def test_a_phone_of_two_habits(lone: Packets, new: tuple[bytes, bytes], tmp_path: Path) -> None:
    """Both habits are known by the time the phone falls back into the first one."""
    for others in ((3, 4, 6), (3,), (3, 4, 5, 6)):
        changed = [(time, re.sub(*new, frame) if place // 4 in others else frame)
                   for place, (time, frame) in enumerate(lone)]
        by_both_roads(tmp_path, changed)
        by_both_roads(tmp_path, [(time - (place // 4) * 3500.0, frame) for place, (time, frame) in enumerate(changed)])
        by_both_roads(tmp_path, [(time - (place // 4) * 3500.0, frame) for place, (time, frame) in enumerate(changed)
                                 if place // 4 != 5])


def test_renewals_of_a_capture_in_which_too_many_methods_were_seen(lone: Packets, tmp_path: Path) -> None:
    """The first REGISTER there is a mere renewal, since the phone is known from an earlier capture."""
    soon = [(time - 3520.0, frame) for time, frame in lone[12:16]]
    odd = lone[0][1][:26] + bytes((10, 9, 9, 9)) + lone[0][1][30:]   # from another host
    methods = [(soon[0][0] - 1.0, odd.replace(b"REGISTER", b"X%07d" % number)) for number in range(WORDS)]
    by_both_roads(tmp_path, lone[:12], [*methods, *soon])


def test_of_a_message_in_two_segments_both_frames_are_known(tmp_path: Path) -> None:
    packets = captured(tmp_path, OVER_TCP)
    by_both_roads(tmp_path, packets)
    with patch.object(ShortRoad, "repeats", side_effect=AssertionError("not in four")):
        _, (_, _, _, _, frames, *_) = followed(tmp_path, packets)
    assert [len(parts) for _, parts in frames] == [2] * SPLIT * 2 * OVER_TCP.rounds


def test_an_undisturbed_fleet_takes_it_from_its_first_renewal_on(packets: Packets, tmp_path: Path) -> None:
    long, short = Counter[str](), 0

    def requested(requests: Requests, item: Any, message: Any) -> Any:
        long["requests"] += 1
        return request(requests, item, message)

    def responded(responses: Responses, item: Any, message: Any) -> Any:
        long["responses"] += 1
        return respond(responses, item, message)

    def taken(road: FourInARow, *arguments: Any) -> bool:
        nonlocal short
        was = take(road, *arguments)
        short += was
        return was

    request, respond, take = Requests.take, Responses.take, FourInARow.take
    with patch.object(Requests, "take", requested), patch.object(Responses, "take", responded), \
            patch.object(FourInARow, "take", taken):
        followed(tmp_path, packets)
    phones = len({frame[26:30] for _, frame in packets if b"\r\nContact:" in frame and b"REGISTER sip" in frame})
    assert long == {"requests": 2 * phones, "responses": 2 * phones}   # the registration
    assert short > (phones if phones == FLEET.phones else 0)   # a renewal that nothing interrupts is taken as a whole
