"""Messages as Wireshark exports them (exported PDUs), each with tags that name its endpoints and frame."""

from __future__ import annotations

import struct


def tag(number: int, value: bytes) -> bytes:
    return struct.pack("!HH", number, len(value)) + value


def record(
    name: bytes, payload: bytes, frame: int, *, carrier: int = 2, reverse: bool = False, port: int = 5061
) -> bytes:
    ends = [(b"\x0a\x01\x00\x05", 49152), (b"\x0a\x00\x00\x01", port)]
    (source, source_port), (destination, destination_port) = reversed(ends) if reverse else ends
    return (
        tag(12, name.ljust(-(-len(name) // 4) * 4, b"\0")) + tag(20, source) + tag(21, destination)
        + tag(24, struct.pack("!I", carrier)) + tag(25, struct.pack("!I", source_port))
        + tag(26, struct.pack("!I", destination_port)) + tag(30, struct.pack("!I", frame)) + tag(0, b"") + payload
    )
