"""Feeds packets to tshark through a pipe."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from threading import Thread
from typing import BinaryIO

from sipaudit.capture import formats, linktypes
from sipaudit.capture.files import CaptureFile
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.ip import UDP
from sipaudit.capture.packet import Packet, Run
from sipaudit.capture.streams import chunks, opened
from sipaudit.capture.tunnel import TUNNEL_PORTS
from sipaudit.capture.write import PcapngWriter

_IP4 = b"\x08\x00\x45"


class Feed:
    """Writes packets as a new capture, in a thread, because tshark's output must be read at the same time.

    `frames` has the packets' frame numbers in their file, in the order written; tshark numbers them 1, 2, 3 ...
    `without_udp` leaves out UDP other than tunnels.
    """

    def __init__(self, runs: Iterable[Run], secrets: Sequence[bytes], *, without_udp: bool) -> None:
        self.frames = array("L")
        self._runs = runs
        self._secrets = secrets
        self._without_udp = without_udp
        self._error: Exception | None = None
        self._thread: Thread | None = None

    def start(self, stream: BinaryIO) -> None:
        """Begin to write to `stream`, which is closed at the end."""
        self._thread = Thread(target=self._run, args=(stream,), name="tshark-feed", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Wait until the writing has ended; it also ends if tshark stops reading. Raises the exception that stopped it.
        """
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self, stream: BinaryIO) -> None:
        try:
            self._write(stream)
        except BrokenPipeError:
            pass  # tshark has ended, or was ended
        except Exception as error:  # raised by `end`
            self._error = error
        finally:
            with contextlib.suppress(OSError):
                stream.close()

    def _write(self, stream: BinaryIO) -> None:
        writer = PcapngWriter(stream)
        for secrets in self._secrets:
            writer.secrets(secrets)
        interfaces: dict[int, int] = {}
        for time, frame, link_type, data, wire_length in self._wanted():
            if link_type not in interfaces:
                interfaces[link_type] = writer.interface(link_type)
            self.frames.append(frame)
            writer.write(time, data, wire_length or None, interface=interfaces[link_type])

    def _wanted(self) -> Iterator[Packet]:
        for run in self._runs:
            for packet in run:
                if not (self._without_udp and _is_plain_udp(packet)):
                    yield packet


def _is_plain_udp(packet: Packet) -> bool:
    """Whether this is surely an unfragmented UDP datagram and no tunnel. Recognised only directly on Ethernet and IPv4
    without options."""
    _, _, link_type, data, _ = packet
    if link_type != linktypes.ETHERNET or data[12:15] != _IP4 or len(data) < 42 or data[23] != UDP:
        return False
    if data[20] & 0x3F or data[21]:
        return False
    return not {data[34] << 8 | data[35], data[36] << 8 | data[37]} & TUNNEL_PORTS.keys()


def secrets_of(file: CaptureFile) -> list[bytes]:
    """The TLS key logs inside a pcapng; the whole file is read for them if it is known to have one."""
    if not file.secrets:
        return []
    secrets: list[bytes] = []
    with opened(file.source) as stream:
        for reader, _, _ in formats.read(chunks(stream, file.path), CaptureHealth(file.path)):
            secrets = reader.secrets
    return secrets
