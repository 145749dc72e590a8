"""A pipe between two processes whose writer does not block: what the pipe cannot take is buffered in the writer."""

from __future__ import annotations

import fcntl
import os
import select
import termios
from array import array
from collections import deque
from contextlib import suppress
from io import BufferedReader
from itertools import islice

IN_THE_PIPE = 1 << 20   # bytes, if the system allows so many
BEFORE_IT = 8 << 20
LENGTH = 4              # bytes of the length before each piece
BUFFERS_AT_ONCE = 16    # in one system call


class Writer:
    """Sends pieces in order, and waits only when too many bytes are unread. Raises BrokenPipeError when nobody reads.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held: deque[memoryview] = deque()
        self._count = 0
        self._room = select.poll()
        self._room.register(descriptor, select.POLLOUT)
        os.set_blocking(descriptor, False)

    def send(self, piece: bytes) -> None:
        """Send another piece, of less than 4 GB."""
        self._held += (memoryview(len(piece).to_bytes(LENGTH, "big")), memoryview(piece))
        self._count += LENGTH + len(piece)
        self.flush(BEFORE_IT)

    def flush(self, room: int = 0) -> None:
        """Write what the pipe takes, and wait until at most `room` bytes are buffered."""
        while self._held:
            try:
                written = os.writev(self._descriptor, list(islice(self._held, BUFFERS_AT_ONCE)))
            except BlockingIOError:
                if self._count <= room:
                    return
                self._room.poll()
                continue
            self._count -= written
            while self._held and written >= len(self._held[0]):
                written -= len(self._held.popleft())
            if written:
                self._held[0] = self._held[0][written:]

    @property
    def under_way(self) -> int:
        """Bytes that were sent and not yet read."""
        in_the_pipe = array("i", [0])
        fcntl.ioctl(self._descriptor, termios.FIONREAD, in_the_pipe)
        return in_the_pipe[0] + self._count


def pipe() -> tuple[BufferedReader, int]:
    """A pipe: the stream from which pieces are read (`received`), and the descriptor for its `Writer`."""
    reading, writing = os.pipe()
    with suppress(PermissionError):  # without root the total size of a user's pipes is limited
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, IN_THE_PIPE)
    return open(reading, "rb"), writing  # noqa: PTH123 - it has no path


def received(stream: BufferedReader) -> bytes:
    """The next piece; raises EOFError when there is none."""
    size = stream.read(LENGTH)
    piece = stream.read(int.from_bytes(size, "big"))
    if len(size) < LENGTH or len(piece) < int.from_bytes(size, "big"):
        raise EOFError
    return piece
