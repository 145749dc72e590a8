"""A followed directory whose disk fails, as a network disk may: data that may yet be read is not taken for silence or
loss."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EACCES, EIO
from pathlib import Path
from typing import Any

import pytest
import yaml

from sipaudit.live.follow import directory
from sipaudit.live.follow.file import PATIENCE
from sipaudit.live.follow.source import FollowSource
from sipaudit.live.probe import Probe
from sipaudit.live.teller import Teller
from sipaudit.model.sayings import Saying
from sipaudit.run.brief import understand
from sipaudit.run.job import Job
from tests.frames import write_pcap
from tests.live.ear import findings, incidents
from tests.live.followed import Reader, capture
from tests.stories import MINUTE, R2, P, Story, handsets, site
from tests.wire import ORIGIN

FAILED = OSError(EIO, "Input/output error")


@contextmanager
def disk_fails(call: str, error: OSError = FAILED) -> Iterator[None]:
    """A system call fails, whatever its arguments."""
    def fail(*_arguments: Any, **_options: Any) -> Any:
        raise error

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, call, fail)
        yield


class Unreachable:
    """A directory entry whose `stat` fails."""

    def __init__(self, entry: os.DirEntry[str]) -> None:
        self.path, self.name = entry.path, entry.name

    def stat(self) -> os.stat_result:
        raise PermissionError(EACCES, "Permission denied", self.path)


def test_files_of_a_directory_that_cannot_be_looked_at_for_a_while_are_there_all_the_same(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "OPEN", 2)
    for number in range(6):
        (tmp_path / f"{number}").write_bytes(capture(number))
    reader = Reader(tmp_path)
    reader.source._directory.look(0.0)
    with disk_fails("scandir"):
        assert (reader.numbers(), reader.source.away) == ([], True)
    assert (reader.numbers(), reader.source.away) == (list(range(6)), False)
    assert (reader.source.health.undecoded, reader.source.blind) == ({}, 0)
    assert len(reader.warned) == 1


def test_nor_do_they_vanish_where_it_may_not_be_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "OPEN", 0)
    (tmp_path / "a").write_bytes(capture(1))
    reader = Reader(tmp_path)
    reader.source._directory.look(0.0)
    with monkeypatch.context() as locked:
        status = directory._status
        locked.setattr(directory, "_status", lambda entry: status(Unreachable(entry)))  # type: ignore[arg-type]
        locked.setattr(os, "access", lambda *_: False)
        assert (reader.numbers(), reader.source.away) == ([], True)
    assert (reader.numbers(), reader.source.health.undecoded) == ([1], {})


def test_one_that_may_not_be_looked_at_hinders_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system policy (SELinux) may forbid that."""
    (tmp_path / "a").write_bytes(capture(1))
    (tmp_path / "b").write_bytes(capture(2))
    reader, status = Reader(tmp_path), directory._status
    monkeypatch.setattr(directory, "_status", lambda entry: status(
        Unreachable(entry) if entry.name == "a" else entry))  # type: ignore[arg-type]
    assert (reader.numbers(), reader.source.away) == ([2], False)


def test_what_a_disk_gives_at_last_is_read_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(capture(1))
    reader = Reader(tmp_path)
    assert reader.numbers() == [1]
    (tmp_path / "a").write_bytes(capture(1, 2))
    (tmp_path / "b").write_bytes(capture(3))
    reader.source._directory.look(0.0)
    with disk_fails("pread"):
        assert (reader.numbers(), reader.source.away) == ([], True)
        reader.later(PATIENCE - 1)
        assert reader.numbers() == []
    assert (reader.numbers(), reader.source.away) == ([2, 3], False)
    assert (reader.source.health.undecoded, reader.warned) == ({}, [])


def test_a_file_whose_disk_is_broken_is_given_up_once_and_the_others_are_read(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(capture(*range(100), size=2000))
    (tmp_path / "b").write_bytes(capture(200, 201))
    monkeypatch.setattr("sipaudit.live.follow.source.PIECE", 50_000)
    broken, pread = (tmp_path / "a").stat().st_ino, os.pread
    asked: list[int] = []

    def read(file: int, size: int, offset: int) -> bytes:
        asked.append(offset)
        if os.fstat(file).st_ino == broken and offset + size > 100_000:
            raise FAILED
        return pread(file, size, offset)

    monkeypatch.setattr(os, "pread", read)
    reader = Reader(tmp_path)
    assert reader.numbers() == list(range(47))
    reader.later(PATIENCE)
    assert reader.numbers() == [200, 201]
    assert reader.numbers() == []   # the broken file is met again
    asked.clear()
    for _ in range(4):
        reader.later(PATIENCE)
        assert reader.numbers() == []
    assert (reader.source.health.undecoded, asked) == ({"file-unreadable": 1}, [])
    assert reader.warned == [f"given up {tmp_path / 'a'}: cannot be read: Input/output error"]
    assert reader.source.blind == 154


def test_what_cannot_be_looked_at_accuses_no_server_of_silence(tmp_path: Path) -> None:
    story, ring = Story(), tmp_path / "ring"
    ring.mkdir()
    for number, phone in enumerate(handsets(story, range(10, 20))):
        phone.register(10 * number)
        asked = phone.ask(292, P, "INVITE")
        for step in (0.5, 1.5, 3.5, 7.5):
            phone.again(292 + step, asked)
        phone.told(300.6, asked, 486)
        phone.acknowledge(300.7, asked)
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site({**R2, **MINUTE})))
    frames = [(ORIGIN - 7200, bytes(60)), *story.frames()]
    write_pcap(ring / "a", [one for one in frames if one[0] <= ORIGIN + 300])
    probe = Probe(understand(Job((), site=str(tmp_path / "site.yaml"))), [FollowSource(ring, 0)], ORIGIN)
    teller = Teller(probe)
    turned(probe, teller, 0.0)
    with disk_fails("scandir"):
        said = [one for clock in range(1, 100) for one in turned(probe, teller, float(clock))]
    assert (incidents(said), findings(said)) == ([], [])
    write_pcap(ring / "b", [one for one in frames if one[0] > ORIGIN + 300])
    turned(probe, teller, 100.0)
    assert probe.newest > ORIGIN + 300.6


def turned(probe: Probe, teller: Teller, clock: float) -> list[Saying]:
    """One turn of the loop."""
    source = probe.sources[0]
    assert isinstance(source, FollowSource)
    source._looked = None
    while probe.read(clock):
        pass
    probe.pass_time(clock, drained=True)
    return list(teller.turn(probe.now(clock)))
