"""Hostile packets through the whole route: they raise no exception, and the work for each packet is bounded."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from types import FrameType

import pytest

from sipaudit import pipeline
from sipaudit.report import document, ladder, phones, text
from tests.frames import Timed, mutated, packets_in, write_pcap
from tests.shared import CAPTURES, INDEX, SAMPLE, needs_captures

SEED = 20261122
PACKETS = 400           # mutated packets for each file
LARGEST = 200_000       # bytes; larger corpus files are not mutated
CALLS_A_PACKET = 3_000  # Python function calls that one packet may cost, averaged over a file


def corpora() -> list[Path]:
    listed = [CAPTURES / row["file"] for row in INDEX]
    return [path for path in listed if path.stat().st_size < LARGEST] + [SAMPLE / "capture.pcap"]


def story(path: Path, chance: random.Random) -> tuple[int, Iterator[Timed]]:
    """Damaged packets of a capture: only those of its first link type, which is returned with them."""
    found = packets_in(path)
    link_type = found[0][2]
    packets = [(time, bytes(data)) for time, _, link, data, _ in found if link == link_type]
    chosen = sorted((chance.choice(packets) for _ in range(PACKETS)), key=lambda packet: packet[0])
    return link_type, ((time, mutated(data, packets, chance) if chance.random() < 0.7 else data)
                       for time, data in chosen)


class Calls:
    """Counts Python function calls inside its `with` block."""

    def __init__(self) -> None:
        self.count = 0

    def _called(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            self.count += 1

    def __enter__(self) -> Calls:
        sys.setprofile(self._called)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)


@needs_captures
@pytest.mark.parametrize("path", corpora(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_damaged_packets_make_no_exception_and_bounded_work(path: Path, tmp_path: Path) -> None:
    chance = random.Random(f"{SEED} {path.name}")
    link_type, packets = story(path, chance)
    damaged = write_pcap(tmp_path / "damaged.pcap", packets, link_type)
    site = tmp_path / "site.yaml"
    site.write_text("lines: [{match: {}, settings: {reRegisterOn: 1, failBack.mode: duration}}]\n")
    pipeline.analyze(pipeline.Job(paths=(str(damaged),), site=str(site)))  # so that imports and caches are not counted
    with Calls() as calls:
        report = pipeline.analyze(pipeline.Job(paths=(str(damaged),), site=str(site), engine="libpcap"))
    assert calls.count < CALLS_A_PACKET * PACKETS
    assert json.loads(document.to_json(report))["captures"][0]["packets"] == PACKETS
    shown = [text.render(report, UTC, 80, False), phones.render(report, UTC, 80, False),
             ladder.render(pipeline.ladder(pipeline.Job(paths=(str(damaged),))), UTC, 80, False),
             "\n".join(pipeline.events(pipeline.Job(paths=(str(damaged),))))]
    assert all(line.isprintable() for page in shown for line in page.splitlines())
