"""Finds out which files of the directory are captures, which have new bytes, and which are known under another name."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from sipaudit.capture.health import CaptureHealth
from sipaudit.errors import PERMIT, InputError
from sipaudit.live.descriptors import none_is_left
from sipaudit.live.follow.file import Followed, Inode, Opening, opening
from sipaudit.turned_away import has_room, turned_away

FILES = 10_000  # looked at in the directory
OPEN = 64  # unread files that are kept open, so that they can be deleted without harm
READ_OPEN = 256  # read files that are kept open: more than are written at a time; a closed one that grows is read anew
GONE_KEPT = 1000  # deleted files that are remembered: perhaps they come back as FILE.gz
SETTLED = 60.0  # seconds without growth after which a file that has a successor counts as finished
WARNED = 1000  # files for which a warning is remembered
UNKNOWN = -1   # stands for the modification time of a file that could not be read

OVERWRITTEN, VANISHED, UNREADABLE, TOO_MANY = (
    "file-overwritten", "file-vanished", "file-unreadable", "file-beyond-bound")


class Known(NamedTuple):
    """How far an earlier run read a file: the number of the last packet, the number of stored bytes, and whether the
    file was finished."""

    frames: int
    stored: int
    finished: bool


class _Seen(NamedTuple):
    """A directory entry as last seen; `file` is None where it is not (yet) known to be a capture."""

    size: int
    changed: int
    name: str
    file: Followed | None


class Directory:
    """The directory; `look` examines it.

    `warn` is called once for each file that is no capture or cannot be read.  `losses` counts the files of which a part
    will never be read; `away` tells whether the last look failed.
    """

    def __init__(self, path: Path, health: CaptureHealth, warn: Callable[[str], None]) -> None:
        self._path = path
        self._health = health
        self.losses = 0
        self.away = False
        self._known: dict[str, Known] = {}
        self._warn = warn
        self._seen: dict[Inode, _Seen] = {}
        self._files: dict[str, Followed] = {}
        self._read: dict[str, Followed] = {}   # open files without unread bytes, the last read last
        self._warned: set[str] = set()

    def know(self, files: Mapping[str, Known]) -> None:
        """Take over how far an earlier run read the files, by their identity."""
        self._known = dict(files)

    def look(self, now: float) -> list[Followed]:
        """The files with unread bytes, in the order in which to read them. `now` is the monotonic time, in seconds."""
        seen: dict[Inode, _Seen] = {}
        try:
            for path, status in self._entries():
                key = status.st_dev, status.st_ino
                seen[key] = self._entry(path, status, self._seen.get(key), now)
            self.away = False
        except OSError as error:
            self.away = True
            self._complain(str(self._path), f"{self._path}: cannot be looked at: {error.strerror}")
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                return []   # the directory is still there, so its files are not gone
        self._seen = seen
        self._note_gone(now)
        self._known = self._latest(self._known)  # only files that are not there
        self._finish(now)
        waiting = [file for file in self._files.values()
                   if file.unread and (file.is_open or file.missed or not file.gone)]
        waiting.sort(key=lambda file: file.order)
        return self._hold(waiting)

    def _latest(self, known: dict[str, Known]) -> dict[str, Known]:
        """The latest GONE_KEPT of them."""
        if len(known) > GONE_KEPT:
            turned_away("followed", len(known) - GONE_KEPT)
            known = dict(list(known.items())[-GONE_KEPT:])
        return known

    def lost(self, file: Followed, kind: str) -> None:
        """Count a file as lost that could not be read, or whose name now has other contents: its unread part is lost.
        """
        self._health.undecoded[kind] += 1
        self.losses += 1
        self._let_go(file)

    def _let_go(self, file: Followed) -> None:
        """Read no more of the file, and forget which entry it was."""
        file.gone, file.missed = True, False
        file.close()
        self._seen = {key: one for key, one in self._seen.items() if one.file is not file}

    def was_read(self, file: Followed) -> None:
        """The file has no unread bytes. It stays open, since it may still grow, until many others were read after it.
        """
        self._read.pop(file.identity, None)
        if file.is_open:
            self._read[file.identity] = file
        if len(self._read) > READ_OPEN:
            oldest = self._read.pop(next(iter(self._read)))
            if oldest.is_open and not oldest.unread:
                self._leave(oldest)

    def read_so_far(self) -> dict[str, Known]:
        """How far the files were read, by identity."""
        return self._known | {file.identity: Known(file.frames, file.stored, file.finished)
                              for file in self._files.values()}

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    # -- what is there

    def _entries(self) -> Iterator[tuple[Path, os.stat_result]]:
        """The regular files, at most FILES. Raises OSError."""
        count = 0
        with os.scandir(self._path) as entries:
            for entry in entries:
                status = _status(entry)
                if status is None:
                    continue
                count += 1
                if count > FILES:
                    self._health.undecoded[TOO_MANY] = 1
                    return
                yield Path(entry.path), status

    def _entry(self, path: Path, status: os.stat_result, before: _Seen | None, now: float) -> _Seen:
        size, changed = status.st_size, status.st_mtime_ns
        if before is not None and before[:3] == (size, changed, path.name):
            return before
        file = None if before is None else before.file
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                file = self._recognised(descriptor, path, status, file, now)
            finally:
                os.close(descriptor)
        except InputError as error:
            file = None
            self._complain(str(path), f"skipped {error}")
        except OSError as error:
            changed = UNKNOWN   # forces another attempt: size, time and name do not show that it becomes readable
            fix = f" ({PERMIT})" if isinstance(error, PermissionError) else ""
            self._complain(str(path), f"skipped {path}: cannot be read: {error.strerror}{fix}")
        return _Seen(size, changed, path.name, file)

    def _recognised(
        self, descriptor: int, path: Path, status: os.stat_result, file: Followed | None, now: float
    ) -> Followed | None:
        """The file of an entry that is new or has changed. Raises InputError when it is no capture, and OSError."""
        inode = status.st_dev, status.st_ino
        if file is not None:
            own = file.inode == inode
            same = file.is_same(descriptor) or (own and not status.st_size)  # truncated: what is written next will tell
            if same and own:
                file.path = path
                file.see(status.st_size, now)
            elif own:
                self._overwritten(file)
            if same:
                return file
        found = opening(descriptor, str(path))
        return None if found is None else self._acquainted(found, path, status, now)

    def _overwritten(self, file: Followed) -> None:
        if file.unread or file.incomplete:
            self.lost(file, OVERWRITTEN)
        else:
            self._let_go(file)

    def _acquainted(self, found: Opening, path: Path, status: os.stat_result, now: float) -> Followed:
        """The file with this beginning: a new one, or one that is known under another name."""
        inode, size = (status.st_dev, status.st_ino), status.st_size
        file = self._files.get(found.identity)
        if file is None:
            return self._new(found, path, status, now)
        if _is_there(file):
            return file  # this entry is a copy, or gzip is about to replace the file by it
        other_size = found.compressed != file.compressed
        if (file.is_open or not file.unread) if other_size else size <= file.stored:
            file.path = path  # the entry has nothing new
            return file
        file.close()
        successor = self._files[found.identity] = Followed(found, path, inode, file.frames)
        successor.see(size, now)
        return successor

    def _new(self, found: Opening, path: Path, status: os.stat_result, now: float) -> Followed:
        known = self._known.pop(found.identity, Known(0, 0, False))
        file = self._files[found.identity] = Followed(found, path, (status.st_dev, status.st_ino), known.frames)
        file.see(status.st_size, now)
        if known.finished or (known.stored == file.size and not found.compressed):
            file.stored = file.size
        return file

    # -- what becomes of them

    def _note_gone(self, now: float) -> None:
        """Note which files are no longer in the directory; those that are open can still be read."""
        names: dict[str, list[str]] = {}
        for one in self._seen.values():
            if one.file is not None:
                names.setdefault(one.file.identity, []).append(one.name)
        for file in self._files.values():
            self._find(file, names.get(file.identity, []))
            if file.is_open and file.inode not in self._seen:  # deleted, but perhaps still being written
                file.see_itself(now)
        gone = [file for file in self._files.values() if file.gone and not file.is_open]
        for file in gone[: max(0, len(gone) - GONE_KEPT)]:
            if file.missed:
                self.lost(file, VANISHED)
            del self._files[file.identity]
            turned_away("followed")

    def _find(self, file: Followed, names: list[str]) -> None:
        """Note under which of these names in the directory a file is read, or that it is gone."""
        file.missed = not names and file.unread and not file.is_open and (file.missed or not file.gone)
        file.gone = not names
        if file.path.name in names or not names:
            return
        if file.is_open or not file.unread:
            file.path = self._path / names[0]
        else:  # only a copy is left, perhaps a compressed one: the next look recognises it anew
            self._let_go(file)

    def _finish(self, now: float) -> None:
        """Close files that are read, do not grow and have a successor; what is missing then will never come."""
        latest = max((file.first for file in self._files.values()), default=0.0)
        for file in self._files.values():
            if file.is_open and not file.unread and file.first < latest and now - file.grown >= SETTLED:
                self._leave(file)

    def _leave(self, file: Followed) -> None:
        self._health.truncated = self._health.truncated or file.incomplete
        file.close()

    def _hold(self, waiting: list[Followed]) -> list[Followed]:
        """Open the files that will be read next, since a ring may delete them before; at most OPEN of which nothing was
        read. Returns the files that can be read now: when descriptors run out, the rest have their turn later."""
        for file in waiting[OPEN:]:
            if file.is_open and not file.stored and not file.gone:
                file.close()
        for place, file in enumerate(waiting[:OPEN]):
            try:
                if not file.missed:   # otherwise its name may belong to another file by now
                    file.open()
            except OSError as error:
                if none_is_left(error):
                    return waiting[:place]
                file.missed = isinstance(error, FileNotFoundError)
        return waiting

    def _complain(self, what: str, sentence: str) -> None:
        if what not in self._warned and has_room(self._warned, WARNED, "followed"):
            self._warned.add(what)
            self._warn(sentence)


def _is_there(file: Followed) -> bool:
    """Whether its path still leads to the file that we read."""
    try:
        status = file.path.stat()
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == file.inode


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """The status of a regular file; None for others, and for entries that are already gone. Raises PermissionError
    where the directory may no longer be searched."""
    try:
        status = entry.stat()
    except OSError as error:
        if isinstance(error, PermissionError) and not os.access(Path(entry.path).parent, os.X_OK):
            raise
        return None
    return status if stat.S_ISREG(status.st_mode) else None
