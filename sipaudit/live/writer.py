"""Writes text to a stream without ever waiting for it: a stopped terminal or a full pipe delays only a thread."""

from __future__ import annotations

import os
import queue
import select
from threading import Thread
from typing import TextIO

from sipaudit.safe_text import encoded

WAITING = 1_000   # texts that may be queued
PATIENCE = 3.0    # seconds for writing the last ones


class Writer:
    """Writes in order, in its own thread. That starts with the first text: capabilities belong to each thread, and a
    thread started before privileges are dropped would keep them.

    `lost` counts texts that found the queue full; `gone` is true once a write has failed, as when the other side has
    closed the stream: from then on all texts are silently discarded.
    """

    def __init__(self, stream: TextIO, waiting: int = WAITING) -> None:
        self.lost = 0
        self.gone = False
        self._stream = stream
        self._encoding = stream.encoding or "utf-8"
        self._file = _descriptor(stream)
        self._queue: queue.Queue[str | None] = queue.Queue(waiting)
        self._thread = Thread(target=self._run, name="writer", daemon=True)
        self._started = False

    @property
    def waiting(self) -> int:
        """The number of texts queued behind the one being written."""
        return self._queue.qsize()

    def put(self, text: str) -> bool:
        """Queue a text; false if the queue is full."""
        self._start()
        try:
            self._queue.put_nowait(text)
        except queue.Full:
            self.lost += 1
            return False
        return True

    def close(self, patience: float = PATIENCE, last: str = "") -> None:
        """Wait until everything is written, and `last` at the end; but only some seconds if the stream is blocked."""
        self._start()
        try:
            self._queue.put(last, timeout=patience)
            self._queue.put(None, timeout=patience)
        except queue.Full:
            return
        self._thread.join(patience)

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self._thread.start()

    def _run(self) -> None:
        while (text := self._queue.get()) is not None:
            if not self.gone:
                self._write(text)

    def _write(self, text: str) -> None:
        data = encoded(text, self._encoding)
        try:
            if self._file is None:
                self._stream.write(data.decode(self._encoding))
            else:
                _write_all(self._file, data)
        except (OSError, ValueError):
            self.gone = True


def _descriptor(stream: TextIO) -> int | None:
    """The descriptor to write to; None for a stream without one (in tests)."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def _write_all(file: int, data: bytes) -> None:
    """Write all data, even if another process has made the file non-blocking, as on a terminal, where stdout and stderr
    are the same file."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(file, left):]
        except BlockingIOError:
            poll = select.poll()
            poll.register(file, select.POLLOUT)
            poll.poll()
