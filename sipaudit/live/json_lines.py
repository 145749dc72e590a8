"""Sayings as lines of JSON, to a file or to stdout."""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from errno import ENXIO
from functools import partial
from pathlib import Path

from sipaudit.errors import InputError
from sipaudit.live.aside import Aside, Count
from sipaudit.live.writer import Writer
from sipaudit.model.sayings import Saying
from sipaudit.report.screen import count_of
from sipaudit.safe_json import to_json
from sipaudit.turned_away import turned_away

log = logging.getLogger(__name__)

STDOUT = "-"
PATIENCE = 3.0           # seconds for writing the last lines
BYTES_KEPT = 8 << 20     # bytes that may be queued for a full disk
WAITING = 20_000         # lines that may be queued for a slow reader


def json_lines(path: str) -> LinesAside | LinesToStdout:
    """The sink for a path, or for `-`. Raises InputError when the file cannot be opened."""
    return LinesToStdout() if path == STDOUT else LinesAside(LinesToFile(path))


class LinesAside:
    """A sink whose `lines` are written by a thread, so that a hanging disk blocks nothing."""

    def __init__(self, lines: LinesToFile) -> None:
        self._lines = lines
        self._aside = Aside("jsonl")

    def take(self, saying: Saying) -> None:
        self._lines.take(saying)

    def turn(self, now: float) -> None:
        if self._aside.idle:
            self._aside.put(partial(self._lines.turn, now))

    def close(self) -> None:
        self._aside.put(self._lines.close)
        if not self._aside.settled(PATIENCE):
            log.warning("--jsonl: the disk does not answer, %s could not be written", self._lines.left)
        self._aside.close()


class LinesToStdout:
    """A sink. A slow reader blocks nothing: when the queue is full, new lines are dropped whole, and counted. After a
    reader has gone away, or the disk was full, nothing more is written, but the run goes on."""

    def __init__(self) -> None:
        self._writer = Writer(sys.stdout, WAITING)
        self._is_told = False   # whether the end of the output was logged

    @property
    def dropped(self) -> int:
        return self._writer.lost

    def take(self, saying: Saying) -> None:
        if not self._writer.put(to_json(saying).decode() + "\n"):
            turned_away("jsonl")

    def turn(self, now: float) -> None:  # noqa: ARG002 - a sink's signature
        """Lines are written at once; here only the end of the output is logged."""
        if self._writer.gone and not self._is_told:
            self._is_told = True
            log.warning("--jsonl: stdout takes nothing any more, and gets nothing from now on")

    def close(self) -> None:
        self._writer.close()
        if self.dropped:
            log.warning("--jsonl: %s dropped, since stdout took them too slowly", count_of(self.dropped, "line"))


class LinesToFile:
    """A sink. The file is appended to, and opened again when it was moved away (logrotate). Lines that a full disk, or
    a pipe with a slow reader, does not take are queued; when the queue is full, new lines are dropped whole, and
    counted. `take` may be called while another thread calls the other methods."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._waiting: deque[bytes] = deque()
        self._bytes = Count()
        self._broken_off = False   # whether the first in the queue is the rest of a partly written line
        self._away = False         # whether the last write failed
        self._moved = False        # whether the file was moved away and a new one could not be made
        self.dropped = 0
        try:
            self._file = self._opened()
        except OSError as error:
            fix = "start the reader of this pipe first" if error.errno == ENXIO else (
                "name a file in a directory that is there and may be written")
            raise InputError(f"cannot be written: {error.strerror}", fix=fix, file=path) from error

    def _opened(self) -> int:
        """Open without blocking: a pipe (`--jsonl >(jq ...)`) may be full, or have no reader."""
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o640)
        if _breaks_off(self._path):
            self._waiting.appendleft(b"\n")
            self._bytes.add(1)
        return file

    def take(self, saying: Saying) -> None:
        line = to_json(saying) + b"\n"
        if self._bytes.now + len(line) > BYTES_KEPT:
            self.dropped += 1
            turned_away("jsonl")
        else:
            self._waiting.append(line)
            self._bytes.add(len(line))

    @property
    def left(self) -> str:
        """How much is not written: `2 lines`."""
        return count_of(len(self._waiting) + self.dropped, "line")

    def turn(self, now: float) -> None:  # noqa: ARG002 - a sink's signature
        self._reopen_if_moved()
        self._write()

    def close(self) -> None:
        self._write()
        if self._waiting or self.dropped:
            log.warning("--jsonl: %s could not be written", self.left)
        os.close(self._file)

    def _say_away(self, error: OSError) -> None:
        if not self._away:
            log.warning("--jsonl: cannot be written: %s; what is said waits", error.strerror)
        self._away = True

    def _say_back(self) -> None:
        if self._away:
            log.warning("--jsonl: is written again; %s dropped meanwhile", count_of(self.dropped, "line"))
        self._away = False

    def _write(self) -> None:
        while self._waiting:
            line = self._waiting[0]
            try:
                written = os.write(self._file, line)
            except BlockingIOError:    # a pipe with a slow reader
                return
            except OSError as error:   # try again at the next turn
                self._say_away(error)
                return
            self._say_back()
            self._bytes.add(-written)
            self._broken_off = written < len(line)
            if self._broken_off:
                self._waiting[0] = line[written:]
            else:
                self._waiting.popleft()

    def _reopen_if_moved(self) -> None:
        """Not in the middle of a line, which would then be split over two files."""
        if self._broken_off or self._is_there():
            return
        try:
            opened = self._opened()
        except OSError as error:   # go on with the file that was moved away
            if not self._moved:
                log.warning("--jsonl: %s was moved away and cannot be made anew: %s", self._path, error.strerror)
            self._moved = True
            return
        os.close(self._file)
        self._file, self._moved = opened, False

    def _is_there(self) -> bool:
        """Whether the path still names the open file."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._file))
        except OSError:
            return False


def _breaks_off(path: Path) -> bool:
    """Whether the last line of a file has no newline, because the disk was full when its writer ended."""
    try:
        if not path.is_file() or not path.stat().st_size:
            return False
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() != b"\n"
    except OSError:   # perhaps it may be written but not read
        return False
