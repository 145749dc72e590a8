"""Sayings that wait on disk for a store that is away."""

from __future__ import annotations

import time
from errno import ENOSPC
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from sipaudit.model.sayings import FindingSaid
from sipaudit.store.spool import Spool
from sipaudit.store.writing import RunOf
from tests.store.sayings import finding

RUN = RunOf("one", "a", "live", "sipaudit")


def waiting(spool: Spool) -> list[str]:
    """Take all waiting findings out of the spool; return their ids."""
    found = []
    while (oldest := spool.oldest()) is not None:
        found += [saying.finding.id for saying in oldest[1] if isinstance(saying, FindingSaid)]
        spool.remove()
    return found


class Disk:
    """A disk with room for files of up to `room` bytes."""

    room = 1 << 30

    def synced(self, file: int) -> None:
        if Path(f"/proc/self/fd/{file}").stat().st_size > self.room:
            raise OSError(ENOSPC, "No space left on device")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr("os.fsync", disk.synced)
    return disk


@pytest.mark.parametrize("room", [0, 100], ids=["for nothing", "for a first line"])
def test_a_disk_that_is_full_for_weeks_gets_no_file_a_second(tmp_path: Path, disk: Disk, room: int) -> None:
    spool = Spool(tmp_path, RUN)
    spool.append([finding(1)])
    disk.room = room
    for _ in range(20):
        with pytest.raises(OSError, match="No space"):
            spool.append([finding(2)])
    assert len(list(tmp_path.glob("*.jsonl"))) == 1
    disk.room = Disk.room
    spool.append([finding(3)])
    found = waiting(spool)   # rows whose write failed may be on the disk all the same
    assert (found[0], found[-1]) == ("f-000001", "f-000003")
    spool.close()


def test_what_the_bound_costs_while_it_is_read_takes_nothing_else_along(tmp_path: Path) -> None:
    """The store hangs with the oldest file, and the sayings behind it are spooled beyond the bound."""
    spool = Spool(tmp_path, RUN, bound=4_000)
    spool.append([finding(1)])
    found = spool.oldest()
    assert found is not None
    number = 2
    while not spool.dropped:
        spool.append([finding(number)])
        number += 1
    dropped = spool.dropped
    list(found[1])
    spool.remove()      # the store has written it after all
    assert waiting(spool) == [f"f-{one:06d}" for one in range(1 + dropped, number)]
    spool.close()


def test_who_reads_while_a_full_disk_takes_nothing_finds_nothing(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, RUN)
    found: list[Any] = []
    reader = Thread(target=lambda: found.append(spool.oldest()))

    def full(_: int) -> None:
        reader.start()
        time.sleep(0.05)
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        spool.append([finding(1)])
    reader.join()
    assert found == [None]
    spool.close()
