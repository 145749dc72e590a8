"""Captures of numbered messages, as bytes, and the numbers read back from them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from sipaudit.capture.captures import Captures
from sipaudit.capture.write import PcapWriter
from sipaudit.sip.datagram import Datagram
from tests.frames import udp_frame

START = 1_700_000_000.0
PHONE, SERVER = ("10.1.0.5", 5060), ("10.0.0.1", 5060)


def message(number: int) -> bytes:
    return udp_frame(PHONE, SERVER, b"OPTIONS sip:%d@example.com SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n" % number)


def pcap(times: Sequence[float], first: int = 1, **options: Any) -> bytes:
    stream = io.BytesIO()
    writer = PcapWriter(stream, **options)
    for number, time in enumerate(times, first):
        writer.write(time, message(number))
    return stream.getvalue()


def numbers(of: Captures) -> list[int]:
    """The user parts of the requests, which are the messages' numbers."""
    return [int(item.payload.split(b"@")[0][12:]) for item in of if isinstance(item, Datagram)]
