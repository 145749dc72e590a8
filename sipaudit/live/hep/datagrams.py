"""HEP over UDP."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Sequence

from sipaudit.capture.bounds import FOR_FILES, CaptureBounds
from sipaudit.live.hep.shipped import Shipped
from sipaudit.sip.datagram import Item

PACKETS_AT_ONCE = 2000  # packets read in one go
RECEIVE_BUFFER = 32 << 20  # bytes asked for; the kernel gives what net.core.rmem_max allows, more to root

_SO_RCVBUFFORCE, _SO_MEMINFO = 33, 55  # Linux's numbers, which Python does not define
_MEMINFO, _DROPS = 9 * 4, 8  # size of SO_MEMINFO's result in bytes, and the index of the drops in it (sk_meminfo)
_LARGEST = 65_535


class DatagramSource(Shipped):
    """Listens on a UDP socket that is bound already (`live.ends.Source`).

    `health.kernel_drops` counts the packets that the socket had no room for; None where the kernel does not report it.
    """

    def __init__(
        self, listener: socket.socket, name: str, capture: int, key: bytes | None = None,
        bounds: CaptureBounds = FOR_FILES,
    ) -> None:
        super().__init__(name, int(listener.getsockname()[1]), capture, key, bounds)
        self._socket = listener
        listener.setblocking(False)
        _enlarge(listener)
        self._dropped_before = _drops(listener) or 0

    @property
    def away(self) -> bool:
        return False

    def descriptors(self) -> Sequence[int]:
        return self._waited_for(self._socket.fileno())

    def read(self) -> Sequence[Item]:
        now = time.time()
        self._receive(now)
        self._count_drops()
        return self._ready(now)

    def close(self) -> None:
        self._socket.close()

    def _receive(self, now: float) -> None:
        receive, take = self._socket.recvfrom, self._intake.take
        for _ in range(PACKETS_AT_ONCE):
            try:
                data, sender = receive(_LARGEST)
            except OSError:  # no more packets
                return
            take(data, sender[0], now)

    def _count_drops(self) -> None:
        drops = _drops(self._socket)
        if drops is None:
            return
        more = (drops - self._dropped_before) & 0xFFFFFFFF  # the kernel's counter has 32 bits
        self._dropped_before = drops
        self.health.kernel_drops = (self.health.kernel_drops or 0) + more


def _enlarge(listener: socket.socket) -> None:
    """Ask for a buffer large enough for bursts: 32 MB hold one second at 20,000 messages a second."""
    for option in (socket.SO_RCVBUF, _SO_RCVBUFFORCE):
        try:
            listener.setsockopt(socket.SOL_SOCKET, option, RECEIVE_BUFFER)
        except OSError:  # only the privileged may go beyond the limit
            return


def _drops(listener: socket.socket) -> int | None:
    """How many packets the socket had no room for since it was opened."""
    try:
        told = listener.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO)
    except OSError:
        return None
    return int.from_bytes(told[4 * _DROPS : 4 * _DROPS + 4], sys.byteorder) if len(told) >= _MEMINFO else None
