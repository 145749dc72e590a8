"""Capture agents driven by hand, and the datagrams that a listener received from them."""

from __future__ import annotations

import os
import resource
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from sipaudit.sip.datagram import Datagram, Item

PATIENCE = 10.0  # seconds to wait for something that must arrive


class Readable(Protocol):
    def descriptors(self) -> Sequence[int]: ...
    def read(self) -> Sequence[Item]: ...


def heard(source: Readable, messages: int, patience: float = PATIENCE) -> list[Datagram]:
    """Read from a source until so many messages have arrived, as the live loop does: wait, read, wait."""
    got: list[Datagram] = []
    end = time.monotonic() + patience
    while len(got) < messages and time.monotonic() < end:
        select.select(source.descriptors(), [], [], 0.1)
        got += [item for item in source.read() if isinstance(item, Datagram)]
    return got


def quiet(source: Readable) -> list[Datagram]:
    """Read from a source until no descriptor of it is ready."""
    got: list[Datagram] = []
    while select.select(source.descriptors(), [], [], 0.2)[0]:
        got += [item for item in source.read() if isinstance(item, Datagram)]
    return got


def ship(port: int, *packets: bytes) -> None:
    """Send packets by UDP, one datagram each."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for packet in packets:
            sender.sendto(packet, ("127.0.0.1", port))


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    """Meanwhile this process can open no further descriptor."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
