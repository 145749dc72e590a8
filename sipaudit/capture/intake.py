"""Taking a capture in: what is counted of every packet, and which of them go on to be decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sipaudit.capture.bpf import BpfFilter
from sipaudit.capture.health import CaptureHealth
from sipaudit.capture.packet import Batch, Packet
from sipaudit.capture.prefilter import Prefilter

STEP_BACK = 1.0  # seconds; less is the jitter of capture queues
LEAP = 86_400.0  # seconds forward without a packet: no phone is silent for a day
_DISORDER = 1.0  # seconds behind the end asked for in which earlier packets may still come


class Intake:
    """One capture's packets on their way in.

    `prefilter` is shared by all captures of a run, `bpf` is the user's filter, nothing later than `until` (seconds
    since the epoch) is taken in or counted.
    """

    def __init__(
        self, health: CaptureHealth, prefilter: Prefilter, bpf: BpfFilter | None = None, until: float | None = None
    ) -> None:
        self._health = health
        self._prefilter = prefilter
        self._bpf = bpf
        self._until = until
        self._before: float | None = None  # time of the packet before

    def packets(self, batches: Iterable[Batch]) -> Iterator[list[Packet]]:
        """What is worth decoding, in lists that are never empty."""
        for batch in batches:
            packets, over = self._taken(batch)
            if self._bpf is not None:
                packets = self._bpf.matching(packets)
            if packets:
                yield packets
            if over:
                return

    def _taken(self, batch: Batch) -> tuple[list[Packet], bool]:
        """The packets of a batch that go on, and whether the end asked for has come."""
        sifted = self._prefilter.sift(batch)
        if sifted is None:
            packets = batch.packets()
            times = [packet[0] for packet in packets]
        else:
            packets, times = sifted.packets, sifted.times.tolist()
        ordered = sorted(times)
        if self._until is not None and ordered[-1] > self._until:
            return self._up_to(self._until, batch), ordered[-1] > self._until + _DISORDER
        self._note(range(batch.first_frame, batch.first_frame + len(times)), times, ordered)
        if sifted is None:
            self._prefilter.consider(packets)
        else:
            self._count("rtp-like", sifted.rtp)
            self._count("udp", sifted.udp)
        return packets, False

    def _up_to(self, until: float, batch: Batch) -> list[Packet]:
        packets = [packet for packet in batch.packets() if packet[0] <= until]
        times = [packet[0] for packet in packets]
        if times:
            self._note([packet[1] for packet in packets], times, sorted(times))
        return packets

    def _count(self, kind: str, number: int) -> None:
        if number:
            self._health.content[kind] += number

    def _note(self, frames: Sequence[int], times: list[float], ordered: list[float]) -> None:
        """Count packets and their time, and look for steps of the clock; `ordered` are the times, sorted."""
        health = self._health
        health.packets += len(times)
        if health.first is None:
            health.first = times[0]
        health.last = ordered[-1] if health.last is None else max(health.last, ordered[-1])
        before = times[0] if self._before is None else self._before
        if times != ordered or ordered[0] < before - STEP_BACK or ordered[-1] - before > LEAP:
            for frame, time in zip(frames, times, strict=True):
                if not -STEP_BACK <= time - before <= LEAP:
                    health.clock_step(frame, time, time - before)
                before = time
        self._before = times[-1]
