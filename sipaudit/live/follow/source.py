"""A directory into which captures are rotated, as a source (`live.ends.Source`)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sipaudit.capture.bounds import FOR_FILES, CaptureBounds
from sipaudit.capture.decode import Decoder
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.intake import Intake
from sipaudit.capture.packet import Batch
from sipaudit.capture.prefilter import Prefilter
from sipaudit.capture.records import LINK_TYPES_KEPT
from sipaudit.errors import InputError
from sipaudit.live.follow.directory import OVERWRITTEN, UNREADABLE, VANISHED, Directory, Known
from sipaudit.live.follow.file import Followed, OverwrittenError
from sipaudit.live.follow.places import Places
from sipaudit.live.follow.unpack import PIECE
from sipaudit.safe_text import safe_path
from sipaudit.sip.datagram import Item

EVERY = 0.5  # seconds between two looks at the directory
STRETCHES_KEPT = 1000  # stretches that `position` includes

Warn = Callable[[str], None]


def follow_source(path: str, capture: int, warn: Warn = lambda _: None, bounds: CaptureBounds = FOR_FILES
                  ) -> FollowSource:
    """The directory `path` as a source; its items have the index `capture`. `warn` is called for skipped files.

    Raises InputError when there is no such directory, or it may not be read.
    """
    directory = Path(path)
    if not directory.exists():
        raise InputError("--follow: there is no such directory", fix="make it before sipaudit starts", file=path)
    if not directory.is_dir():
        raise InputError("--follow: is no directory", fix="name the directory in which the files appear", file=path)
    if not os.access(directory, os.R_OK | os.X_OK):
        raise InputError("--follow: the directory may not be looked at", fix="check its permissions", file=path)
    return FollowSource(directory, capture, warn, bounds=bounds)


class FollowSource:
    """Reads the files of a directory in the order of their first packets, the last one as it grows.

    Its frame numbers run through all files, in the order of reading; `place` maps them to a file and Wireshark frame.
    `health` is that of the directory as a whole; `blind` adds up the gaps around files that were deleted or overwritten
    before they were read: the time from the last packet before to the first one after, in seconds.
    """

    by_our_clock = False   # even where the files are written on this machine: they are read later
    taps = 0

    def __init__(
        self, path: Path, capture: int, warn: Warn = lambda _: None, every: float = EVERY,
        clock: Callable[[], float] = time.monotonic, bounds: CaptureBounds = FOR_FILES,
    ) -> None:
        self.capture = capture
        self.health = CaptureHealth(str(path))
        self.blind = 0.0
        self._losses = 0  # losses of the directory that `blind` includes
        self._refused = False  # whether the next file cannot be read now
        self._warn = warn
        self._places = Places()
        self._directory = Directory(path, self.health, warn)
        self._intake = Intake(self.health, Prefilter())
        self.reader = Decoder([self.health] * (capture + 1), bounds)
        self._drops = 0  # drops since the capture began, according to the file read last
        self._every, self._clock = every, clock
        self._looked: float | None = None
        self._waiting: list[Followed] = []
        self._always, self._writing = os.pipe()  # always readable: polled while there is more to read
        os.write(self._writing, b"\0")

    @property
    def away(self) -> bool:
        return self._directory.away or self._refused

    def descriptors(self) -> Sequence[int]:
        """None when everything was read: then only another look at the directory finds more."""
        return (self._always,) if self._waiting else ()

    def read(self) -> Sequence[Item]:
        now = self._clock()
        if self._looked is None or now - self._looked >= self._every:
            self._looked = now
            self._waiting = self._directory.look(now)
        items: list[Item] = []
        before = self.health.last
        for run in self._intake.runs(self._batches()):
            if self._directory.losses > self._losses and before is not None:
                self._losses = self._directory.losses
                self.blind += max(run.times[0] - before, 0.001)
            items += self.reader.run(run, self.capture)
        return items

    def place(self, frame: int) -> tuple[str, int | None]:
        """The file of an item's frame, and its number there; only the directory when that is forgotten."""
        path, number = self._places.place(frame) or (self.health.path, None)
        return safe_path(path), number

    def position(self) -> dict[str, Any]:
        """How far everything was read, in plain values: up to the last packet that `read` returned."""
        known = {identity: list(one) for identity, one in self._directory.read_so_far().items()}
        return {"last": self._places.last, "files": known,
                "stretches": [list(row) for row in self._places.rows(STRETCHES_KEPT)]}

    def go_on(self, position: Mapping[str, Any]) -> bool:
        """Go on from where another run stopped: nothing is read twice, and nothing is missed; files that have
        disappeared meanwhile are counted in `blind`."""
        self._places = Places(position["last"], [(begin, shift, path) for begin, shift, path in position["stretches"]])
        self._directory.know({identity: Known(*one) for identity, one in position["files"].items()})
        return True

    def close(self) -> None:
        self._directory.close()
        os.close(self._always)
        os.close(self._writing)

    # -- reading

    def _batches(self) -> list[Batch]:
        """The next packets, from about PIECE stored bytes of one or more files."""
        batches: list[Batch] = []
        left = PIECE
        while self._waiting and left > 0:
            file = self._waiting[0]
            if file.missed and batches:
                break   # the loss belongs after these batches
            before = file.stored
            batches += self._pieces(file)
            if self._refused:   # wait until the next look: the other files come after this one
                self._waiting = []
                break
            if file.is_open:
                left -= max(file.stored - before, 1)
            if not (file.is_open and file.unread):
                del self._waiting[0]
                self._directory.was_read(file)
        return batches

    def _pieces(self, file: Followed) -> list[Batch]:
        batches: list[Batch] = []
        self._refused = False
        if file.missed:
            self._directory.lost(file, VANISHED)
            return batches
        try:
            for batch in file.read(PIECE):
                number = self._places.numbered(file, lambda: str(file.path), batch.first_frame, batch.length)
                batches.append(batch._replace(first_frame=number))
        except OverwrittenError:
            self._directory.lost(file, OVERWRITTEN)
        except FileNotFoundError:
            self._directory.lost(file, VANISHED)
        except OSError as error:
            self._cannot_read(file, error)
        self._note(file.health)
        return batches

    def _cannot_read(self, file: Followed, error: OSError) -> None:
        """The file is there, but reading fails: it is retried for a while, in which the files after it wait."""
        self._refused = file.may_be_tried_again(self._clock())
        if not self._refused:
            self._warn(f"given up {file.path}: cannot be read: {error.strerror}")
            self._directory.lost(file, UNREADABLE)

    def _note(self, health: CaptureHealth) -> None:
        """Add a file's health to that of the directory.

        Drops are counted from the beginning of a capture of many files, so they include those of the file before.
        """
        self.health.undecoded.update(health.undecoded)
        health.undecoded.clear()
        self.health.truncated = self.health.truncated or health.truncated
        self.health.link_types = list(dict.fromkeys([*self.health.link_types, *health.link_types]))[:LINK_TYPES_KEPT]
        drops = health.kernel_drops
        if drops is not None:
            more = drops - self._drops if drops >= self._drops else drops
            self.health.kernel_drops = (self.health.kernel_drops or 0) + more
            self._drops, health.kernel_drops = drops, None
