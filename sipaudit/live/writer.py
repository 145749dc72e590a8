"""Text to a stream without ever waiting for it: a terminal that is stopped, or a full pipe, holds up a thread only."""

from __future__ import annotations

import queue
from threading import Thread
from typing import TextIO

WAITING = 1_000   # texts that may wait to be written
PATIENCE = 3.0    # seconds that the last ones have


class Writer:
    """Writes in order, in a thread of its own. `lost` counts texts that found the queue full; `gone` is true once the
    other side has closed the stream, and then everything is passed over in silence."""

    def __init__(self, stream: TextIO, waiting: int = WAITING) -> None:
        self.lost = 0
        self.gone = False
        self._stream = stream
        self._encoding = stream.encoding or "utf-8"
        self._queue: queue.Queue[str | None] = queue.Queue(waiting)
        self._thread = Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many texts wait behind the one that is being written."""
        return self._queue.qsize()

    def put(self, text: str) -> bool:
        """Whether it will be written."""
        try:
            self._queue.put_nowait(text)
        except queue.Full:
            self.lost += 1
            return False
        return True

    def close(self, patience: float = PATIENCE, last: str = "") -> None:
        """Waits until all is written, `last` at the end, but not for a stream that takes nothing."""
        try:
            self._queue.put(last, timeout=patience)
            self._queue.put(None, timeout=patience)
        except queue.Full:
            return
        self._thread.join(patience)

    def _run(self) -> None:
        while (text := self._queue.get()) is not None:
            if not self.gone:
                self._write(text)

    def _write(self, text: str) -> None:
        """Characters that the stream's encoding lacks are written as escapes."""
        try:
            self._stream.write(text.encode(self._encoding, "backslashreplace").decode(self._encoding))
            self._stream.flush()
        except (OSError, ValueError):
            self.gone = True
