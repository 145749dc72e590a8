"""A process of its own that reads and parses captures, while the one that asked for it follows what they say.

All that is learnt is learnt in one process, from the same items in the same order: what is found cannot depend on how
many processes work (docs/decisions.md, *Speed*).
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import BufferedReader
from multiprocessing import get_context
from multiprocessing.context import ForkProcess
from typing import Any

from sipaudit.capture.captures import Captures
from sipaudit.capture.health import CaptureHealth
from sipaudit.errors import InputError
from sipaudit.run.ahead import known_ahead, parsed_ahead, runs_of
from sipaudit.run.chute import Writer, chute, received
from sipaudit.run.freight import Packer, Unpacker
from sipaudit.sip.forms import Parsed

WORTH = 8_000_000       # bytes of captures from which on a second process saves time
HUNGRY = 1 << 20        # bytes: with less under way the other process may soon wait; some seven runs
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

    Without `payloads` those of datagrams are empty where their messages were parsed. `health` is brought up to date,
    and `read` told of the stored bytes that were read, as if this process did it. Raises while it is iterated what
    reading raises.
    """
    incoming, outgoing = chute()
    process = get_context("fork").Process(target=_read, args=(making, payloads, incoming, outgoing), daemon=True)
    process.start()
    os.close(outgoing)
    try:
        yield _arrivals(incoming, process, Unpacker(payloads=payloads), health, read or _untold)
    finally:
        incoming.close()
        process.terminate()
        process.join()


def _untold(_count: int) -> None:
    """Nobody wants to know."""


def _arrivals(incoming: BufferedReader, process: ForkProcess, unpacker: Unpacker, health: Sequence[CaptureHealth],
              read: Counted) -> Iterator[list[Parsed]]:
    """The runs as they come, with what is known of the captures by then."""
    while True:
        try:
            follows, end, count, states = pickle.loads(received(incoming))
            parcel = received(incoming) if follows else b""
        except EOFError:
            process.join()
            raise RuntimeError(f"the reading process has ended with {process.exitcode}") from None
        if health:
            for number, state in states:
                health[number].__dict__.update(state)
        read(count)
        if end is not None:
            raise end
        if not follows:
            return
        yield unpacker.unpack(parcel)


def _read(making: Making, payloads: bool, incoming: BufferedReader, outgoing: int) -> None:
    """What the other process does: read to the end, or until nobody listens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who listens, and ends this one
    if sys.stdin is not None:
        sys.stdin = open(STDIN, closefd=False)  # noqa: SIM115 - multiprocessing has put /dev/null there
    incoming.close()
    with suppress(BrokenPipeError):
        Sender(making, payloads, Writer(outgoing)).send_all()


class Sender:
    """Sends runs, and with each what has changed in the captures' health."""

    def __init__(self, making: Making, payloads: bool, writer: Writer) -> None:
        self._packer = Packer(payloads=payloads)
        self._writer = writer
        self._count = 0
        self._captures = making(self._read)
        self._packets = [-1] * len(self._captures.health)

    def _read(self, count: int) -> None:
        self._count += count

    def send_all(self) -> None:
        """All runs, then how it ended: None, or what went wrong."""
        end: Exception | None = None
        try:
            for run in runs_of(self._captures):
                self._send(self._packer.pack(run, reading=not self._is_waited_for()))
        except InputError as error:
            end = error
        self._packets = [-1] * len(self._packets)
        self._send(None, end)
        self._writer.flush()

    def _is_waited_for(self) -> bool:
        """Whether the other process has next to nothing left to follow: then it can read as well as this one."""
        return self._writer.under_way < HUNGRY

    def _send(self, parcel: bytes | None, end: Exception | None = None) -> None:
        """A run, or that there are no more; a run goes as it is, not wrapped in anything."""
        self._writer.send(pickle.dumps((parcel is not None, end, self._count, list(self._changed()))))
        if parcel is not None:
            self._writer.send(parcel)
        self._count = 0

    def _changed(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The captures of which packets were read since the last run."""
        packets = self._packets
        for number, health in enumerate(self._captures.health):
            if health.packets != packets[number]:
                packets[number] = health.packets
                yield number, health.__dict__
