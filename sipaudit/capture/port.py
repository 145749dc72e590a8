"""Captures live at a network port of this machine, through libpcap: non-blocking, promiscuous, with a large kernel
buffer."""

from __future__ import annotations

from typing import Any

import pcapy

from sipaudit.capture.bpf import unusable
from sipaudit.capture.kernel_filter import kernel_filter
from sipaudit.capture.packet import ROW_SIZE, Batch
from sipaudit.capture.records import MAX_CAPTURED

BUFFER = 64 << 20      # bytes in the kernel: a second of traffic at full rate, while we are busy elsewhere
TIMEOUT = 100          # milliseconds after which the kernel delivers a block that is not full
BATCH = 4096           # packets at a time


class PortError(Exception):
    """The port cannot be opened, or has gone down."""


class Port:
    """An open port. Frames are numbered from `frames` + 1. Raises PortError, and InputError for an invalid filter."""

    def __init__(self, name: str, bpf: str | None, frames: int = 0) -> None:
        self.frames = frames
        try:
            self._pcap: Any = pcapy.create(name)
            self._pcap.set_snaplen(MAX_CAPTURED)
            self._pcap.set_promisc(1)
            self._pcap.set_timeout(TIMEOUT)
            self._pcap.set_buffer_size(BUFFER)
            self._pcap.activate()
            self._pcap.setnonblock(1)
            self.link_type = int(self._pcap.datalink())
        except (pcapy.PcapError, UnicodeError) as error:
            raise PortError(str(error)) from error
        self._filter(bpf)

    def _filter(self, bpf: str | None) -> None:
        expression = kernel_filter(self.link_type, bpf)
        try:
            if expression:
                self._pcap.setfilter(expression)
        except (pcapy.PcapError, UnicodeError) as error:
            raise unusable(bpf, error) from error

    def fileno(self) -> int:
        return int(self._pcap.getfd())

    def read(self) -> Batch | None:
        """The packets that have arrived; None if there are none now. Raises PortError if the port went down."""
        try:
            buffer, rows = self._pcap.next_batch(BATCH)
        except pcapy.PcapError as error:
            raise PortError(str(error)) from error
        if not rows:
            return None
        batch = Batch(buffer, rows, self.link_type, self.frames + 1)
        self.frames += len(rows) // ROW_SIZE
        return batch

    def drops(self) -> tuple[int, int]:
        """The numbers of packets lost since the port was opened: for lack of room in the kernel, and by the card."""
        try:
            _, dropped, at_interface = self._pcap.stats()[:3]
        except pcapy.PcapError as error:
            raise PortError(str(error)) from error
        return int(dropped), int(at_interface)

    def close(self) -> None:
        self._pcap.close()
