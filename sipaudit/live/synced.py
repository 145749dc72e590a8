"""Files that survive power loss: a thread syncs them to the disk, so that a slow disk delays nothing else."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILES_WAITING = 8   # files that may be queued for a hanging disk; beyond that requests are ignored


class Syncer:
    """Syncs files in a thread. `sync` costs microseconds; unsynced data are lost only if the machine fails. `close`
    does not block."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, int], int] = {}   # our own descriptors, by device and inode
        self._change = threading.Condition()
        self._syncs = self._ends = False
        self._thread: threading.Thread | None = None

    def sync(self, descriptor: int) -> None:
        """Have what was written to this file synced soon. Raises OSError for a bad descriptor."""
        status = os.fstat(descriptor)
        with self._change:
            known = (status.st_dev, status.st_ino)
            if known in self._waiting or len(self._waiting) >= FILES_WAITING:
                return
            self._waiting[known] = os.dup(descriptor)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
                self._thread.start()
            self._change.notify()

    def sync_names(self, directory: Path) -> None:
        """Have what was created, renamed or removed in a directory synced soon. Raises OSError."""
        with _opened(directory) as descriptor:
            self.sync(descriptor)

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._ends)
                if not self._waiting:
                    return
                descriptor = self._waiting.pop(next(iter(self._waiting)))
                self._syncs = True
            try:
                os.fsync(descriptor)
            except OSError:
                pass   # the next write will report it
            finally:
                os.close(descriptor)
                self._syncs = False

    @property
    def idle(self) -> bool:
        """Whether nothing waits for the disk."""
        with self._change:
            return not (self._waiting or self._syncs)

    def close(self) -> None:
        """Let the thread end when the queue is synced."""
        with self._change:
            self._ends, self._thread = True, None
            self._change.notify()


def sync_names(directory: Path) -> None:
    """Sync what was created, renamed or removed in the directory. Waits for the disk; raises OSError."""
    with _opened(directory) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
