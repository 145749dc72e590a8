"""A capture whose packets are not in the order of their times: judged as if they were, or reported as out of order."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from sipaudit.capture.tshark import tshark_available
from sipaudit.model.values import Report
from sipaudit.pipeline import Job, analyze
from sipaudit.report import text
from sipaudit.report.exhibits import frames_of
from sipaudit.report.verdict import sentences
from tests.frames import write_pcap
from tests.outputs.desk import early_return, site_file
from tests.stories import Packet, Story

OTHER = ("10.1.0.9", 40_053)   # another host, which sends DNS queries
ENGINES = ["libpcap", *(["tshark"] if tshark_available() else [])]


def told() -> list[Packet]:
    """The packets of a story, with those of the same time 0.1 ms apart to fix their order."""
    story = early_return(story=Story())
    for number in range(10):
        story.lookup(400 + number * 0.3, OTHER, "pbx.example.com.", "A",
                     "pbx.example.com. 60 IN A 10.0.0.9")
    packets = sorted(story.packets, key=lambda packet: packet.time)
    return [replace(packet, time=packet.time + number / 10_000) for number, packet in enumerate(packets)]


def analyzed(folder: Path, packets: list[Packet], engine: str = "auto") -> Report:
    capture = write_pcap(folder / "a.pcap", Story(packets, ordered=True).frames())
    return analyze(Job((str(capture),), site=site_file(folder), zone="utc", engine=engine), warn=lambda _: None)


def said(report: Report) -> list[tuple[object, ...]]:
    return [(one.rule, one.confidence, one.line, one.time, one.facts, [frame.time for frame in frames_of(one)])
            for one in report.findings]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("within", [0.05, 0.4])
def test_a_card_with_several_queues_hides_no_deviation(tmp_path: Path, within: float, engine: str) -> None:
    chance = random.Random(5)
    packets = told()
    mixed = sorted(packets, key=lambda packet: packet.time + within * chance.random())
    assert mixed != packets
    plain, other = analyzed(tmp_path, packets, engine=engine), analyzed(tmp_path, mixed, engine=engine)
    assert said(plain)
    assert said(other) == said(plain)
    assert plain.notes == []
    (note,) = other.notes
    assert "s behind later ones: they were put in the order of their times." in note


def test_more_than_can_be_mended_is_said_with_what_to_do(tmp_path: Path) -> None:
    report = analyzed(tmp_path, sorted(told(), key=lambda one: one.time + 0.9 * (one.destination == OTHER)))
    (note,) = report.notes
    assert note.startswith(f"{tmp_path}/a.pcap holds ")
    assert note.endswith(f"checks near them may be left open. To mend it: reordercap {tmp_path}/a.pcap OUT")
    assert note in "".join(text.render(report, UTC, 10_000, color=False))


def test_files_of_one_time_put_one_behind_the_other_accuse_nobody_and_are_said_to_be(tmp_path: Path) -> None:
    packets = told()
    report = analyzed(tmp_path, [*packets[::2], *packets[1::2]])
    assert not [one for one in report.findings if one.confidence == "certain"]
    assert "reordercap IN OUT puts their packets in order" in "".join(text.health(report.captures[0], UTC))
    assert sentences(report, UTC)[0].startswith("The captures' clock went back 1 time, furthest by ")
