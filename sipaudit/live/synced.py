"""Files that outlive power loss: written through to the disk by a thread, so that a slow disk delays nobody."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILES_WAITING = 8   # files that wait for a disk that hangs, beyond which no more are taken


class Syncer:
    """`sync` costs microseconds; what could not be synced is lost only with the machine. `close` waits for nothing."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, int], int] = {}   # descriptors of our own, by the file they are of
        self._change = threading.Condition()
        self._syncs = self._ends = False
        self._thread: threading.Thread | None = None

    def sync(self, descriptor: int) -> None:
        """What was written to this file shall soon be on the disk. Raises OSError where there is no such file."""
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
        """The same of what was made, renamed or removed in a directory."""
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
                pass   # whoever writes next is told
            finally:
                os.close(descriptor)
                self._syncs = False

    @property
    def idle(self) -> bool:
        """Whether nothing waits for the disk."""
        with self._change:
            return not (self._waiting or self._syncs)

    def close(self) -> None:
        """The thread ends when all that waits is synced."""
        with self._change:
            self._ends, self._thread = True, None
            self._change.notify()


def sync_names(directory: Path) -> None:
    """What was made, renamed or removed in the directory is so after power loss, too. Waits for the disk."""
    with _opened(directory) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
