"""A separate file system whose power can fail and which can hang, and a probe that keeps its files there."""

from __future__ import annotations

import os
import struct
import subprocess
from fcntl import ioctl
from pathlib import Path

from sipaudit.live.synced import sync_names
from sipaudit.model.sayings import Saying
from sipaudit.safe_json import to_json
from tests.live.ear import Ear
from tests.live.stories import SITE

SHUTDOWN, WITHOUT_FLUSH = 0x8004587D, 2   # EXT4_IOC_SHUTDOWN, EXT4_GOING_FLAGS_NOLOGFLUSH
FREEZE, THAW = 0xC0045877, 0xC0045878     # FIFREEZE, FITHAW
SOON = 60.0   # seconds within which a busy machine syncs a file of some kilobytes


class Disk:
    """A file system mounted at `place`, empty at first. Raises OSError or CalledProcessError if it cannot be made."""

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
        """Freeze it: every write blocks until `answers` is called."""
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
        """Unmount it. No file on it may be open."""
        subprocess.run(["umount", self.place], check=True, capture_output=True)

    def comes_back(self) -> None:
        subprocess.run(["mount", "-o", "loop", self._image, self.place], check=True, capture_output=True)


def listening_at(place: Path) -> Ear:
    """A probe whose site file is on the disk, and synced."""
    ear = Ear(place, SITE)
    descriptor = os.open(place / "site.yaml", os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    sync_names(place)
    return ear


def words(said: list[Saying]) -> list[bytes]:
    return [to_json(one) for one in said]
