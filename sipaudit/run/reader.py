"""A process of its own that reads and parses captures, while the one that asked for it follows what they say.

All that is learnt is learnt in one process, from the same items in the same order: what is found cannot depend on how
many processes work (docs/decisions.md, *Speed*).
"""

from __future__ import annotations

import fcntl
import os
import pickle
import signal
import sys
import termios
import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Any

from sipaudit.capture.captures import Captures
from sipaudit.capture.health import CaptureHealth
from sipaudit.errors import InputError
from sipaudit.run.ahead import known_ahead, parsed_ahead, runs_of
from sipaudit.run.freight import Packer, Unpacker
from sipaudit.sip.forms import Parsed

WORTH = 8_000_000       # bytes of captures from which on a second process saves time
UNDER_WAY = 1 << 20     # bytes by which reading may be ahead: some twelve runs
HUNGRY = 8              # with less than one part in so many of that the other process will soon wait
STDIN = 0               # the descriptor
MOST = 2                # processes that find work

Counted = Callable[[int], None]
Making = Callable[[Counted], Captures]
"""Makes the captures; what it is given is told of stored bytes as they are read."""


def processes(jobs: int | None, size: int) -> int:
    """How many processes shall work on `size` bytes of captures (0: not known), where so many are allowed; None leaves
    it to what is worth it. A process that has threads does not multiply: the copy would lack them, and what they hold.
    """
    if threading.active_count() > 1:
        return 1
    wanted = jobs or (len(os.sched_getaffinity(0)) if size == 0 or size >= WORTH else 1)
    return min(wanted, MOST)


@contextmanager
def reading_here(captures: Captures, *, payloads: bool) -> Iterator[Iterator[list[Parsed]]]:
    """Items with their messages, read by this process; (`payloads`) each message is wanted whole."""
    yield parsed_ahead(captures) if payloads else known_ahead(captures)


@contextmanager
def reading_apart(making: Making, *, payloads: bool, health: Sequence[CaptureHealth] = (), read: Counted | None = None
                  ) -> Iterator[Iterator[list[Parsed]]]:
    """The same, read by another process, which ends with this context.

    Without `payloads` those of datagrams are empty where their messages were parsed. `health` is brought up to date, and `read` told of the stored bytes
    that were read, as if this process did it. Raises while it is iterated what reading raises.
    """
    context = get_context("fork")
    incoming, outgoing = context.Pipe(duplex=False)
    process = context.Process(target=_read, args=(making, payloads, incoming, outgoing), daemon=True)
    with suppress(PermissionError):  # who is not root may hold so much in pipes, and no more: then it is less ahead
        fcntl.fcntl(outgoing, fcntl.F_SETPIPE_SZ, UNDER_WAY)
    process.start()
    outgoing.close()
    try:
        yield _arrivals(incoming, process, health, read or _untold)
    finally:
        incoming.close()
        process.terminate()
        process.join()


def _untold(_count: int) -> None:
    """Nobody wants to know."""


def _arrivals(incoming: Connection, process: ForkProcess, health: Sequence[CaptureHealth], read: Counted
              ) -> Iterator[list[Parsed]]:
    """The runs as they come, with what is known of the captures by then."""
    unpacker = Unpacker()
    while True:
        try:
            parcel, count, states = pickle.loads(incoming.recv_bytes())
        except EOFError:
            process.join()
            raise RuntimeError(f"the reading process has ended with {process.exitcode}") from None
        if health:
            for number, state in states:
                health[number].__dict__.update(state)
        read(count)
        if isinstance(parcel, Exception):
            raise parcel
        if parcel is None:
            return
        yield unpacker.unpack(parcel)


def _read(making: Making, payloads: bool, incoming: Connection, outgoing: Connection) -> None:
    """What the other process does: read to the end, or until nobody listens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who listens, and ends this one
    if sys.stdin is not None:
        sys.stdin = open(STDIN, closefd=False)  # noqa: SIM115 - multiprocessing has put /dev/null there
    incoming.close()
    with suppress(BrokenPipeError):
        Sender(making, payloads, outgoing).send_all()


class Sender:
    """Sends runs, and with each what has changed in the captures' health."""

    def __init__(self, making: Making, payloads: bool, outgoing: Connection) -> None:
        self._packer = Packer(payloads=payloads)
        self._outgoing = outgoing
        self._count = 0
        self._hungry = fcntl.fcntl(outgoing, fcntl.F_GETPIPE_SZ) // HUNGRY
        self._captures = making(self._read)
        self._packets = [-1] * len(self._captures.health)

    def _read(self, count: int) -> None:
        self._count += count

    def send_all(self) -> None:
        """All runs, then how it ended: None, or what went wrong."""
        end: Exception | None = None
        try:
            for run in runs_of(self._captures):
                self._send(self._packer.pack(run, parsing=not self._is_waited_for()))
        except InputError as error:
            end = error
        self._packets = [-1] * len(self._packets)
        self._send(end)

    def _is_waited_for(self) -> bool:
        """Whether the other process has next to nothing left to follow: then it can parse as well as this one."""
        under_way = array("i", [0])
        fcntl.ioctl(self._outgoing, termios.FIONREAD, under_way)
        return under_way[0] < self._hungry

    def _send(self, parcel: bytes | Exception | None) -> None:
        self._outgoing.send_bytes(pickle.dumps((parcel, self._count, list(self._changed()))))
        self._count = 0

    def _changed(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The captures of which packets were read since the last run."""
        packets = self._packets
        for number, health in enumerate(self._captures.health):
            if health.packets != packets[number]:
                packets[number] = health.packets
                yield number, health.__dict__
