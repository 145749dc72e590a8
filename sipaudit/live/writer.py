"""Text to a stream without ever waiting for it: a terminal that is stopped, or a full pipe, holds up a thread only."""

from __future__ import annotations

import os
import queue
import select
from threading import Thread
from typing import TextIO

from sipaudit.safe_text import encoded

WAITING = 1_000   # texts that may wait to be written
PATIENCE = 3.0    # seconds that the last ones have


class Writer:
    """Writes in order, in a thread of its own. It begins with the first text: capabilities are each thread's own, and
    one that was there before privileges are dropped would keep them.

    `lost` counts texts that found the queue full; `gone` is true once the other side has closed the stream, and then
    everything is passed over in silence.
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
        """How many texts wait behind the one that is being written."""
        return self._queue.qsize()

    def put(self, text: str) -> bool:
        """Whether it will be written."""
        self._start()
        try:
            self._queue.put_nowait(text)
        except queue.Full:
            self.lost += 1
            return False
        return True

    def close(self, patience: float = PATIENCE, last: str = "") -> None:
        """Waits until all is written, `last` at the end, but not for a stream that takes nothing."""
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
    """The file to write to; None for a stream that has none (a test's)."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def _write_all(file: int, data: bytes) -> None:
    """Also to a file that others have set to non-blocking: stdout and stderr of a terminal are one."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(file, left):]
        except BlockingIOError:
            poll = select.poll()
            poll.register(file, select.POLLOUT)
            poll.poll()
