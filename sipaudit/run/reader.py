"""The second process, which reads captures: whether to start one, and how it prepares before it is told what to read.

It imports what reading needs while the first process finds out what to read, from the site file among others; so this
module itself imports next to nothing.
"""

from __future__ import annotations

import os
import pickle
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sipaudit.run.job import Job
from sipaudit.run.pipe import Writer, pipe

if TYPE_CHECKING:
    from sipaudit.capture.captures import Captures
    from sipaudit.capture.files import CaptureFile

WORTH = 8_000_000       # bytes of captures from which a second process saves time
STDIN = 0               # the descriptor
MOST = 2                # more processes would have nothing to do

Counted = Callable[[int], None]


class Wanted(NamedTuple):
    """What is to be read, as arguments of `Captures`; the files come without their spools, because another process only
    gets their paths."""

    files: list[CaptureFile]
    engine: str = "auto"
    bpf: str | None = None
    keylog: str | None = None
    until: float | None = None
    sip_ports: frozenset[int] = frozenset()

    def captures(self, progress: Counted | None = None) -> Captures:
        """The `Captures` that read it, and call `progress` with the stored bytes as they are read. Raises InputError.
        """
        from sipaudit.capture.captures import Captures  # deferred: the other process may import it first

        return Captures(self.files, engine=self.engine, bpf=self.bpf, keylog=self.keylog, until=self.until,
                        progress=progress, sip_ports=self.sip_ports)


def processes(jobs: int | None, size: int) -> int:
    """How many processes should work on `size` bytes of captures (0: unknown): `jobs`, or if None as many as save time;
    at most MOST. A process with threads does not fork: the copy would lack the threads, and what they hold."""
    if threading.active_count() > 1:
        return 1
    wanted = jobs or (len(os.sched_getaffinity(0)) if size == 0 or size >= WORTH else 1)
    return min(wanted, MOST)


class Reader:
    """A process that waits to be told what to read. Whoever makes one closes it."""

    def __init__(self) -> None:
        self.incoming, outgoing = pipe()
        heard, said = os.pipe()
        self._orders = open(said, "wb")  # noqa: PTH123, SIM115 - it has no path; `close` closes it
        self.process = get_context("fork").Process(target=self._serve, args=(heard, outgoing), daemon=True)
        self.process.start()
        os.close(heard)
        os.close(outgoing)

    def read(self, wanted: Wanted, *, payloads: bool) -> None:
        """Have it read `wanted`; `payloads`: all messages are needed whole. Only once."""
        order = pickle.dumps((wanted, payloads))
        with suppress(BrokenPipeError), self._orders:   # it has died, as the reader of its batches will see
            self._orders.write(order)

    def close(self) -> None:
        """Kill the process, whatever it is doing."""
        self._orders.close()
        self.incoming.close()
        self.process.kill()   # it may still have this process's SIGTERM handler
        self.process.join()

    def _serve(self, heard: int, outgoing: int) -> None:
        """The main function of the other process: read to the end, or until nobody receives."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which ends this one
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if sys.stdin is not None:
            sys.stdin = open(STDIN, closefd=False)  # noqa: SIM115 - multiprocessing has put /dev/null there
        self._orders.close()
        self.incoming.close()
        from sipaudit.run.sender import Sender  # deferred: the first process need not import it

        with open(heard, "rb") as stream:
            order = stream.read()
        if order:
            wanted, payloads = pickle.loads(order)
            with suppress(BrokenPipeError):
                Sender(wanted, payloads, Writer(outgoing)).send_all()


@contextmanager
def getting_ready(job: Job) -> Iterator[Reader | None]:
    """The process that will read for a job. None if there should be none, or if more than file sizes is needed to
    decide: a pipe may have to be spooled before another process can read it."""
    size = _size(job.paths)
    if size is None or processes(job.jobs, size) == 1:
        yield None
        return
    with closing(Reader()) as ready:
        yield ready


def _size(paths: Sequence[str]) -> int | None:
    """The total size in bytes of files that are all named; None if anything else is among them."""
    try:
        states = [Path(path).stat() for path in paths if path != "-"]
    except (OSError, ValueError):
        return None
    plain = len(states) == len(paths) and all(stat.S_ISREG(state.st_mode) for state in states)
    return sum(state.st_size for state in states) if plain else None
