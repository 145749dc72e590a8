"""Media streams whose calls are signalled elsewhere: records of a capture, made in blocks, since there are millions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bench.traffic import PACKETIZATION, SOUND, rtp_heads

HEADS = 42       # bytes of Ethernet, IPv4 and UDP
AT_ONCE = 200    # streams made together
GATEWAY = "10.0.1.1"
RECORD = np.dtype([
    ("seconds", "<u4"), ("micros", "<u4"), ("kept", "<u4"), ("length", "<u4"), ("heads", "u1", HEADS),
    ("kind", ">u2"), ("number", ">u2"), ("clock", ">u4"), ("source", ">u4"), ("sound", "u1", len(SOUND)),
])
"""One RTP packet (RFC 3550) as a pcap record."""

Records = NDArray[np.void]
Times = NDArray[np.int64]
"""Microseconds since the epoch."""


class Media:
    """`count` streams of `each` packets, half in each direction; one begins every `gap` seconds from `first` on."""

    def __init__(self, count: int, each: int, first: float, gap: float) -> None:
        self._blocks = _in_order(count, each, first, gap)
        self._times, self._records, self._at = np.empty(0, np.int64), np.empty(0, RECORD), 0

    def until(self, time: float) -> Iterator[bytes]:
        """The records before `time` (seconds since the epoch) that were not yielded yet."""
        end = int(min(time, 1e12) * 1e6)
        while True:
            place = int(np.searchsorted(self._times, end))
            yield self._records[self._at : place].tobytes()
            self._at = place
            if place < len(self._times) or (block := next(self._blocks, None)) is None:
                return
            (self._times, self._records), self._at = block, 0


def _in_order(count: int, each: int, first: float, gap: float) -> Iterator[tuple[Times, Records]]:
    """All packets in order of time. Those of a batch of streams that come after the start of the next batch wait for
    it."""
    times, records = np.empty(0, np.int64), np.empty(0, RECORD)
    for numbers in (range(count)[begin : begin + AT_ONCE] for begin in range(0, count, AT_ONCE)):
        made = [_stream(number, each, first + number * gap) for number in numbers]
        times = np.concatenate([times, *(one for one, _ in made)])
        records = np.concatenate([records, *(one for _, one in made)], dtype=RECORD)  # keeps RECORD's byte order
        order = np.argsort(times, kind="stable")
        times, records = times[order], records[order]
        ready = int(np.searchsorted(times, int((first + (numbers[-1] + 1) * gap) * 1e6)))
        yield times[:ready], records[:ready]
        times, records = times[ready:], records[ready:]
    yield times, records


def _stream(number: int, each: int, begins: float) -> tuple[Times, Records]:
    """One stream; its first sequence numbers and timestamps are derived from its number (RFC 3550 5.1: random)."""
    drawn = np.frombuffer(hashlib.blake2b(f"stream {number}".encode(), digest_size=24).digest(), ">u4").astype(np.int64)
    step, way = np.divmod(np.arange(each), 2)
    times = int(begins * 1e6) + ((step + way / 2) * PACKETIZATION * 1e6).astype(np.int64)
    records = np.zeros(each, RECORD)
    records["seconds"], records["micros"] = np.divmod(times, 1_000_000)
    records["kept"] = records["length"] = RECORD.itemsize - 16
    host = (f"10.3.{number // 250 % 250}.{1 + number % 250}", 2222)
    records["heads"] = np.array([list(one) for one in rtp_heads(host, (GATEWAY, 16_384 + number % 20_000 * 2))])[way]
    records["kind"], records["source"] = 0x8008, drawn[:2][way]
    records["number"], records["clock"] = (drawn[2:4][way] + step) & 0xFFFF, (drawn[4:][way] + step * 160) & 0xFFFFFFFF
    records["sound"] = np.frombuffer(SOUND, np.uint8)
    return times, records
