"""Sayings as lines of JSON, to a file or to stdout."""

from __future__ import annotations

import os
import sys
from collections import deque
from pathlib import Path

import msgspec

from sipaudit.errors import InputError
from sipaudit.model.sayings import Saying

STDOUT = "-"
KEPT = 8 << 20   # bytes that wait for a reader who is slow, or a disk that is full


class JsonLines:
    """A sink. What is written to never holds up the capture: what it does not take now waits, and beyond a bound the
    newest lines are dropped and counted, whole.

    A file is appended to, and opened again when it was moved away (logrotate). Raises InputError when it cannot be
    opened.
    """

    def __init__(self, path: str) -> None:
        self._path = None if path == STDOUT else Path(path)
        self._encoder = msgspec.json.Encoder()
        self._waiting: deque[memoryview] = deque()
        self._bytes = 0
        self.dropped = 0
        self._gone = False
        try:
            self._file = self._opened()
        except OSError as error:
            raise InputError(f"cannot be written: {error.strerror}", fix="name a file in a directory that is there",
                             file=path) from error

    def _opened(self) -> int:
        if self._path is None:
            file = os.dup(sys.stdout.fileno())
            os.set_blocking(file, False)
            return file
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o640)

    def take(self, saying: Saying) -> None:
        line = self._encoder.encode(saying) + b"\n"
        if self._gone or self._bytes + len(line) > KEPT:
            self.dropped += 1
            return
        self._waiting.append(memoryview(line))
        self._bytes += len(line)

    def turn(self, now: float) -> None:  # noqa: ARG002 - a sink's signature
        self._reopen_if_moved()
        self._write()

    def close(self) -> None:
        os.set_blocking(self._file, True)
        self._write()
        os.close(self._file)

    def _write(self) -> None:
        while self._waiting:
            piece = self._waiting[0]
            try:
                written = os.write(self._file, piece)
            except BlockingIOError:
                return
            except BrokenPipeError:   # the reader has gone: nobody listens any more
                self._gone = True
                self._waiting.clear()
                self._bytes = 0
                return
            except OSError:           # a full disk: later, perhaps
                return
            self._bytes -= written
            if written == len(piece):
                self._waiting.popleft()
            else:
                self._waiting[0] = piece[written:]

    def _reopen_if_moved(self) -> None:
        """Between two lines only, for a line is never split over two files."""
        if self._path is None or (self._waiting and self._waiting[0].obj is not None and
                                  len(self._waiting[0]) != self._waiting[0].nbytes):
            return
        try:
            there = self._path.stat()
        except OSError:
            there = None
        ours = os.fstat(self._file)
        if there is None or (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            try:
                opened = self._opened()
            except OSError:
                return
            os.close(self._file)
            self._file = opened
