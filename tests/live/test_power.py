"""The power fails: what a probe had told is not forgotten. On a file system of its own that is stopped dead: what was
not synced is never written, as with a machine whose power is cut."""

from __future__ import annotations

import os
import sqlite3
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from fcntl import ioctl
from pathlib import Path

import pytest

from sipaudit.live.checkpoint import Checkpoint
from sipaudit.live.synced import sync_names
from sipaudit.model.sayings import Saying
from sipaudit.safe_json import to_json
from sipaudit.store.opening import open_for_writing
from sipaudit.store.sink import StoreSink
from tests.live.ear import Ear, findings
from tests.live.stories import EARLY, SITE, early_return, returned_early
from tests.store.sayings import finding, known

SHUTDOWN, WITHOUT_FLUSH = 0x8004587D, 2   # EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH
FREEZE, THAW = 0xC0045877, 0xC0045878     # FIFREEZE, FITHAW
SOON = 60.0   # seconds within which a busy machine syncs a file of some kilobytes


class Disk:
    """A file system mounted at `place`, empty at first. Raises OSError or CalledProcessError where none can be made."""

    def __init__(self, folder: Path) -> None:
        self._image, self.place = folder / "image", folder / "disk"
        self.place.mkdir()
        with self._image.open("wb") as file:
            file.truncate(32 << 20)
        subprocess.run(["mkfs.ext4", "-q", self._image], check=True, capture_output=True)
        self.comes_back()

    def loses_power(self) -> None:
        self._told(SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))

    def hangs(self) -> None:
        """Whoever writes to it waits until it `answers`."""
        self._told(FREEZE, b"\0\0\0\0")

    def answers(self) -> None:
        self._told(THAW, b"\0\0\0\0")

    def _told(self, what: int, argument: bytes) -> None:
        directory = os.open(self.place, os.O_RDONLY)
        try:
            ioctl(directory, what, argument)
        finally:
            os.close(directory)

    def goes(self) -> None:
        """Nobody may have a file of it open."""
        subprocess.run(["umount", self.place], check=True, capture_output=True)

    def comes_back(self) -> None:
        subprocess.run(["mount", "-o", "loop", self._image, self.place], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        made = Disk(tmp_path)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be made and mounted here: {error}")
    yield made
    subprocess.run(["umount", "--lazy", made.place], check=True)   # a test that failed may have files of it open


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def until_synced(checkpoint: Checkpoint) -> None:
    """Wait as long as a turn of the loop would, and longer where the machine is slow."""
    end = time.monotonic() + SOON
    while not checkpoint.journal.is_synced():
        assert time.monotonic() < end
        time.sleep(0.01)


def listening_at(place: Path) -> Ear:
    """Its site file is on the disk."""
    ear = Ear(place, SITE)
    descriptor = os.open(place / "site.yaml", os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    sync_names(place)
    return ear


def words(said: list[Saying]) -> list[bytes]:
    return [to_json(one) for one in said]


def test_what_was_said_since_the_checkpoint_is_known_after_it(disk: Disk) -> None:
    place = disk.place
    ear = listening_at(place)
    story, phone = returned_early(ear)
    checkpoint = ear.keeps(place)
    known = len(ear.said)
    early_return(phone, 600)
    ear.hears(story, since=400)
    ear.turn(800)
    assert EARLY in findings(ear.said[known:])
    for saying in ear.said[known:]:
        checkpoint.journal.take(saying)
    checkpoint.journal.turn(0.0)
    until_synced(checkpoint)
    (place / "not synced").write_text("gone with the power")
    said = words(list(checkpoint.journal.read()))

    disk.loses_power()
    checkpoint.journal.close()
    checkpoint.close()
    disk.goes()
    disk.comes_back()
    assert not _content(place / "not synced")
    after = Checkpoint(str(place / "state"), print)
    other = ear.goes_on(after, after=600)
    assert words(after.said) == said
    other.turn(2000)
    assert not findings(other.said)


def test_a_checkpoint_that_is_there_stays(disk: Disk) -> None:
    place = disk.place
    ear = listening_at(place)
    returned_early(ear)
    checkpoint = ear.keeps(place)
    disk.loses_power()
    checkpoint.close()
    disk.goes()
    disk.comes_back()
    other = ear.goes_on(Checkpoint(str(place / "state"), print), after=600)
    other.turn(2000)
    assert not findings(other.said)


def test_what_is_in_a_store_stays(disk: Disk, tmp_path: Path) -> None:
    url = f"sqlite:///{disk.place}/store.db"
    sink = StoreSink(open_for_writing(url), tmp_path / "spool", every=0.02)
    subprocess.run(["sync", "-f", disk.place], check=True)   # the empty store
    sink.take(finding(1))
    end = time.monotonic() + SOON
    while not written(disk.place / "store.db"):
        assert time.monotonic() < end
        time.sleep(0.01)
    disk.loses_power()
    sink.close()
    disk.goes()
    disk.comes_back()
    assert [one.id for one in known(url).findings] == ["f-000001"]


def written(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM findings").fetchone()[0])
