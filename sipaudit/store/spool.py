"""The spool: a queue on disk of sayings that wait for the store, one line of JSON each, in numbered files.

The first line of a file is the run of its sayings, so that those an earlier run left behind are written as that run's.
A file is removed once all of it is in the store. If the program ends before, the file is written again, which changes
nothing, since each saying replaces its own row.  Beyond the bound the oldest file is dropped.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from sipaudit.errors import InputError
from sipaudit.model.sayings import Withdrawn
from sipaudit.model.values import read_proof
from sipaudit.safe_json import to_json
from sipaudit.store.rows import FORMS
from sipaudit.store.writing import RunOf, Stood

BOUND = 256_000_000         # most bytes of all files
FILE = 1_000_000            # bytes after which a new file is begun
_NAME = re.compile(r"([0-9]{10})\.jsonl")

AnySaying: Any = Withdrawn | Stood
for _kind in FORMS:
    AnySaying = AnySaying | _kind
_DECODER = msgspec.json.Decoder(AnySaying, dec_hook=read_proof)
_RUN = msgspec.json.Decoder(RunOf)


@dataclass
class Part:
    """One file of the queue, with its size in bytes; `lines` is the number of complete sayings in it."""

    path: Path
    size: int
    lines: int


class Spool:
    """The queue on disk, used by one process at a time. `dropped` counts the sayings lost with files dropped beyond the
    bound, and those that could not be read back.

    Raises InputError when the directory cannot be used, OSError (from `append`) when the disk cannot take more.
    """

    def __init__(self, directory: Path, run: RunOf, *, bound: int = BOUND) -> None:
        self._directory = directory
        self._run = run
        self._bound = bound
        self._file = min(FILE, max(bound // 4, 1))
        self._fresh = True          # the next saying begins a file: we never append to another process's
        self._alone = threading.RLock()
        self._read: Part | None = None     # the file that `oldest` gave
        self.dropped = 0
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InputError(f"what the store cannot take at once cannot be kept here: {error.strerror}",
                             fix="name a directory that can be written", file=str(directory)) from None
        self._claim()
        names = sorted(path for path in directory.iterdir() if _NAME.fullmatch(path.name))
        self._parts = [Part(path, path.stat().st_size, _whole_lines(path)) for path in names]

    def _claim(self) -> None:
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)   # ends with this process, even if it forked
        except OSError:
            os.close(self._lock)
            raise InputError("another sipaudit keeps here what its store cannot take at once",
                             fix="end it, or give this one a checkpoint file in another directory",
                             file=str(self._directory)) from None

    def __len__(self) -> int:
        """The number of queued sayings."""
        return sum(part.lines for part in self._parts)

    def append(self, sayings: Sequence[msgspec.Struct]) -> None:
        """Append sayings to the queue; they are synced to disk when this returns. Raises OSError."""
        with self._alone:
            self._append([to_json(saying) + b"\n" for saying in sayings])

    def _append(self, waiting: list[bytes]) -> None:
        while waiting:
            part = self._last()
            count, room = 0, self._file - part.size
            while count < len(waiting) and (room > 0 or part.lines + count == 0):
                room -= len(waiting[count])
                count += 1
            self._write(part, waiting[:count])
            self._fresh = part.size >= self._file
            del waiting[:count]
        self._keep_bound()

    def _last(self) -> Part:
        if not self._fresh:
            return self._parts[-1]
        number = int(self._parts[-1].path.stem) + 1 if self._parts else 1
        part = Part(self._directory / f"{number:010d}.jsonl", 0, 0)
        self._parts.append(part)
        self._write(part, [to_json(self._run) + b"\n"])
        part.lines = 0
        self._fresh = False
        return part

    def _write(self, part: Part, lines: Sequence[bytes]) -> None:
        data = b"".join(lines)
        try:
            with os.fdopen(os.open(part.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600),
                           "ab") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError:
            self._break_off(part)
            raise
        part.size += len(data)
        part.lines += len(lines)

    def _break_off(self, part: Part) -> None:
        """Stop appending to a file after a failed write, as it may end in half a line. A file without sayings is
        removed: a full disk would otherwise get another one at each attempt."""
        self._fresh = True
        if part.lines:
            part.size = part.path.stat().st_size if part.path.exists() else 0
        else:
            self._parts.remove(part)
            part.path.unlink(missing_ok=True)

    def _keep_bound(self) -> None:
        while sum(part.size for part in self._parts) > self._bound and len(self._parts) > 1:
            self._drop_oldest()

    def oldest(self) -> tuple[RunOf, Iterator[Any]] | None:
        """The run and the sayings of the oldest file, None if the queue is empty. Call `remove` when the store has
        them."""
        while (part := self._begin_reading()) is not None:
            sayings = _lines_of(part.path)
            run = _decoded(_RUN, next(sayings, b""))
            if run is not None:
                return run, self._readable(sayings)
            with self._alone:
                if self._is_there(part):
                    self._drop_oldest()
        return None

    def _begin_reading(self) -> Part | None:
        with self._alone:
            self._read = self._parts[0] if self._parts else None
            self._fresh = self._fresh or len(self._parts) == 1  # no append to the file that is being read
            return self._read

    def _is_there(self, part: Part | None) -> bool:
        """Whether `part` is still the oldest file: it may have been dropped meanwhile to make room."""
        return bool(self._parts) and self._parts[0] is part

    def _readable(self, lines: Iterator[bytes]) -> Iterator[Any]:
        for line in lines:
            saying = _decoded(_DECODER, line)
            if saying is None:
                self.dropped += 1
            else:
                yield saying

    def remove(self) -> None:
        """Remove the file that `oldest` returned, unless it has been dropped meanwhile to make room."""
        with self._alone:
            if self._is_there(self._read):
                self._go()

    def _drop_oldest(self) -> None:
        self.dropped += self._parts[0].lines
        self._go()

    def _go(self) -> None:
        part = self._parts.pop(0)
        part.path.unlink(missing_ok=True)
        self._fresh = self._fresh or not self._parts

    def close(self) -> None:
        os.close(self._lock)


def _lines_of(path: Path) -> Iterator[bytes]:
    """The complete lines of a file: after a power loss the last line may be cut. None at all if it cannot be read."""
    try:
        with path.open("rb") as stream:
            yield from (line for line in stream if line.endswith(b"\n"))
    except OSError:
        return


def _whole_lines(path: Path) -> int:
    """The number of complete sayings in a file: its lines without the first, which is the run."""
    return max(sum(1 for _ in _lines_of(path)) - 1, 0)


def _decoded(decoder: Any, line: bytes) -> Any | None:
    try:
        return decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
