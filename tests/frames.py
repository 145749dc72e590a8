"""Frames for tests and benchmarks, each built as Ethernet in one go, and the captures that hold them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from sipaudit.capture.engine import batches
from sipaudit.capture.files import resolve
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Packet
from sipaudit.capture.write import ETHERNET, Endpoint, PcapWriter, ethernet_frame, udp_packet

Timed = tuple[float, bytes]
"""A frame with its time, in seconds since the epoch."""


def udp_frame(
    source: Endpoint, destination: Endpoint, payload: bytes, *, source_mac: str = "020000000001",
    destination_mac: str = "020000000002", vlans: Sequence[int] = (),
) -> bytes:
    """One UDP datagram in an Ethernet frame."""
    packet = udp_packet(source, destination, payload)
    return ethernet_frame(packet, source_mac=source_mac, destination_mac=destination_mac, vlans=vlans)


def write_pcap(path: Path, frames: Iterable[Timed], link_type: int = ETHERNET, *, snaplen: int | None = None) -> Path:
    """A capture of these frames, in this order; `snaplen` bytes of each (None: all)."""
    with path.open("wb") as stream:
        writer = PcapWriter(stream, link_type)
        for time, frame in frames:
            writer.write(time, frame[:snaplen], len(frame))
    return path


def packets_in(path: Path) -> list[Packet]:
    """All packets of a capture."""
    file, = resolve((str(path),)).files
    return [packet for batch in batches(file, CaptureHealth(str(path)), lambda _: None) for packet in batch.packets()]


def frames_in(path: Path) -> list[Timed]:
    """The frames of all packets of a capture."""
    return [(time, bytes(data)) for time, _, _, data, _ in packets_in(path)]


def mutated(data: bytes, others: list[Timed], chance: random.Random) -> bytes:
    """A packet with some bytes flipped, cut off, or replaced by a piece of one of the `others`."""
    if not data:
        return data
    what = chance.random()
    if what < 0.5:
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        return bytes(damaged)
    if what < 0.75:
        return data[:chance.randrange(len(data))]
    other = chance.choice(others)[1]
    return data[:chance.randrange(len(data))] + other[chance.randrange(len(other) or 1):]
