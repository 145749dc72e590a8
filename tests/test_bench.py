"""The captures that `python -m bench` measures are what they are said to be. No times: those are for the bench."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bench.captures import MIXED, SIP, SITE, Workload, write
from sipaudit.model.values import Report
from sipaudit.pipeline import Job, analyze

FEW = Workload("few", phones=5, rounds=20)
CALLS = Workload("calls", phones=4, rounds=1, calls=3, media=40)


def made(workload: Workload, place: Path) -> Path:
    write(workload, place / "capture.pcap")
    return place / "capture.pcap"


def report(capture: Path) -> Report:
    return analyze(Job((str(capture),), site=str(SITE)))


def test_the_large_captures_have_the_sizes_that_the_marks_name() -> None:
    assert (SIP.messages, SIP.packets) == (200_000, 200_000)
    assert (MIXED.messages, MIXED.packets) == (50_000, 1_550_000)


@pytest.mark.parametrize("workload", [FEW, CALLS], ids=str)
def test_the_same_bytes_every_time(workload: Workload, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, again = made(workload, tmp_path), made(workload, tmp_path / "again")
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(again.read_bytes()).digest()
    assert not list(tmp_path.glob("*.part"))


def test_registrations_read_as_they_were_meant(tmp_path: Path) -> None:
    read = report(made(FEW, tmp_path))
    capture = read.captures[0]
    assert (capture.packets, capture.sip_messages, capture.malformed, capture.undecoded) == (400, 400, {}, {})
    assert (len(read.lines), read.findings) == (5, [])
    for line in read.lines:
        assert (line.regime, line.mode, line.working) == ("R2", "duration", "10.0.0.1:5060/udp")
        assert [(row.refreshes, row.end) for row in line.registrations] == [(19, None)]


def test_calls_with_media_read_as_they_were_meant(tmp_path: Path) -> None:
    read = report(made(CALLS, tmp_path))
    capture = read.captures[0]
    assert (capture.packets, capture.sip_messages, capture.malformed) == (166, 46, {})
    assert [line.calls for line in read.lines] == [1, 1, 1, 0]
    assert read.findings == []
