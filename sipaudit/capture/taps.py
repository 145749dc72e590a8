"""How far the clocks of captures are apart, by packets that two of them show.

Taps show one packet with other tags, hop limits and checksums; but from its first `SIP/2.0` on, before which there is
no more than a method and a URI, it is the same, and no other packet is, but for what is sent again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from zlib import crc32

from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Run

SIP = b"SIP/2.0"
RUNS_AROUND = 4        # of some thousand packets, before and after two captures are read at once
PACKETS_KEPT = 8_192    # packets that are remembered; of more, an even choice
SHOWN_BY = 4    # captures that show one packet, and are told apart
OTHERS = 64     # captures with which one is compared
SAMPLES = 64    # of two captures: half of them the first, half the last


class SharedPackets:
    """Compares captures while they are read. What it finds is in the `apart` of the later one's health."""

    def __init__(self, health: Sequence[CaptureHealth]) -> None:
        self._health = health
        self._seen: dict[int, dict[int, float]] = {}   # by what tells packets apart: when each capture shows it first
        self._choice = 1                               # of so many packets one is remembered, the same ones of each tap
        self._alone: deque[tuple[int, Run]] = deque(maxlen=RUNS_AROUND)   # not looked at
        self._looks = 0                                            # runs that will be

    def read(self, capture: int, run: Run, *, alone: bool) -> None:
        """These packets of a capture are read next; (`alone`) no other is being read. What is read alone is looked at
        only shortly before and after others are: in a ring, where captures follow each other, that is never."""
        self._alone.append((capture, run))
        self._looks = self._looks - 1 if alone else RUNS_AROUND
        if self._looks > 0:
            for one in self._alone:
                self._look(*one)
            self._alone.clear()

    def _look(self, capture: int, run: Run) -> None:
        buffer = run.buffer
        for time, at, length in zip(run.times, run.offsets, run.lengths, strict=True):
            end = at + length
            begin = buffer.find(SIP, at, end)
            if begin >= 0:
                packet = crc32(buffer[begin:end])
                if packet % self._choice == 0:
                    self._remember(packet, capture, time)

    def _remember(self, packet: int, capture: int, time: float) -> None:
        """A packet is shown by a capture. Where it was sent again, its first sending counts."""
        shown = self._seen.setdefault(packet, {})
        if capture in shown or len(shown) >= SHOWN_BY:
            return
        for other, then in shown.items():
            first, later = sorted((other, capture))
            self._compare(first, later, time - then if later == capture else then - time)
        shown[capture] = time
        if len(self._seen) > PACKETS_KEPT:
            self._choice *= 2
            self._seen = {one: times for one, times in self._seen.items() if one % self._choice == 0}

    def _compare(self, first: int, later: int, ahead: float) -> None:
        """The later capture shows a packet so many seconds after the first."""
        apart = self._health[later].apart
        if first not in apart and len(apart) >= OTHERS:
            return
        samples = apart.setdefault(first, [])
        samples.append(ahead)
        if len(samples) > SAMPLES:
            del samples[SAMPLES // 2]
